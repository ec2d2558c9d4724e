//! The binary as a process: its command line, and how it ends.

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

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
