//! The binary as a process: its command line, and how it ends.

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _, pipe};
    use std::net::TcpStream;
    use std::process::{Child, Command, Output, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_authority"))
            .args(args)
            .env_clear()
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    #[test]
    fn wrong_configuration_lists_every_mistake_before_anything_starts() {
        let variables = [
            ("PORT", "x"),
            ("AMQP_PASSWORD", "hunter2"),
            ("SECRETS_KEY", "hunter3"),
            ("PROPAGATION_SECRET", "s"),
        ];
        for args in [&["config", "check"][..], &[], &["serve"]] {
            let output = run(args, &variables);
            assert_eq!(output.status.code(), Some(2));
            let text = String::from_utf8(output.stderr).unwrap();
            let mistakes: Vec<&str> = text
                .lines()
                .skip(1)
                .filter_map(|line| line.split(':').next())
                .collect();
            assert_eq!(
                mistakes,
                [
                    "PORT",
                    "AMQP_USER",
                    "REDIS_URL",
                    "DATABASE_URL",
                    "SECRETS_KEY"
                ],
                "{text}"
            );
            assert!(!text.contains("hunter"), "{text}");
        }
    }

    #[test]
    fn a_good_configuration_is_said_to_be_good_without_a_secret() {
        let variables = [
            ("AMQP_URL", "amqp://u:hunter1@127.0.0.1:1/v"),
            ("PROPAGATION_SECRET", "hunter2"),
            ("PROPAGATION_TARGETS", "consumer=hunter3"),
            ("REDIS_URL", "redis://:hunter4@127.0.0.1:1"),
            ("DATABASE_URL", "mysql://u:hunter5@127.0.0.1:1/db"),
            ("SECRETS_KEY", KEY),
        ];
        let output = run(&["config", "check"], &variables);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains("authority") && text.contains("consumer"),
            "{text}"
        );
        assert!(!text.contains("hunter") && !text.contains(KEY), "{text}");
    }

    /// A peer whose servers are all away, at a port.
    fn serving(port: u16, log: impl Into<Stdio>) -> Child {
        Command::new(env!("CARGO_BIN_EXE_authority"))
            .env_clear()
            .envs([
                ("PORT", port.to_string().as_str()),
                ("AMQP_URL", "amqp://u:p@127.0.0.1:1/v"),
                ("PROPAGATION_SECRET", "s"),
                ("REDIS_URL", "redis://127.0.0.1:1"),
                ("DATABASE_URL", "mysql://u@127.0.0.1:1/db"),
                ("SECRETS_KEY", KEY),
            ])
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn ends_well_after(signal: &str, mut peer: Child) {
        let pid = peer.id().to_string();
        Command::new("kill").args([signal, &pid]).status().unwrap();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(15) {
            if let Some(status) = peer.try_wait().unwrap() {
                assert!(status.success(), "{signal}: {status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        peer.kill().unwrap();
        peer.wait().unwrap();
        panic!("{signal} did not end the peer");
    }

    #[test]
    fn a_peer_ends_though_the_reader_of_its_log_is_gone() {
        for signal in ["-TERM", "-INT"] {
            let mut peer = serving(0, Stdio::piped());
            let mut log = BufReader::new(peer.stderr.take().unwrap());
            let mut line = String::new();
            while !line.contains("listening") {
                line.clear();
                assert!(log.read_line(&mut line).unwrap() > 0, "no line is left");
            }
            drop(log);
            ends_well_after(signal, peer);
        }
    }

    #[test]
    fn a_peer_serves_and_ends_though_nobody_reads_its_log() {
        let (reader, writer) = pipe().unwrap();
        let mut full = writer.try_clone().unwrap();
        std::thread::spawn(move || full.write_all(&[b'x'; 1024 * 1024]));
        std::thread::sleep(Duration::from_millis(200));
        let port = services::free_port().unwrap();
        let peer = serving(port, writer);
        let answer = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(
                b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            )?;
            let mut text = String::new();
            stream.read_to_string(&mut text).map(|_| text)
        };
        let begin = Instant::now();
        while !answer().is_ok_and(|text| text.starts_with("HTTP/1.1 200")) {
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "it does not serve"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        ends_well_after("-TERM", peer);
        drop(reader);
    }

    #[test]
    fn the_probe_fails_where_nobody_serves() {
        let output = run(&["healthcheck", "--port", "1"], &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            String::from_utf8(output.stderr)
                .unwrap()
                .contains("not ready")
        );
    }
}
