//! A wrong configuration ends the process, with every mistake listed, before anybody is contacted.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::mesh::program;

/// Runs a peer to its end with nothing in its environment but this.
pub(crate) fn run(peer: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program(peer));
    command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let start = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if start.elapsed() > Duration::from_secs(20) {
            child.kill().expect("a child");
            let output = child.wait_with_output().expect("a child");
            panic!(
                "{peer} did not end: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("a child")
}

/// A configuration in which nothing is wrong but that nobody is there.
fn good() -> Vec<(&'static str, &'static str)> {
    vec![
        ("PORT", "0"),
        ("AMQP_URL", "amqp://guest:guest@127.0.0.1:9/nowhere"),
        ("PROPAGATION_SECRET", "entry-secret"),
        ("HMAC_SECRET_TOKEN", "pepper"),
        ("REDIS_URL", "redis://127.0.0.1:9"),
        ("DATABASE_URL", "mysql://root@127.0.0.1:9/nothing"),
        (
            "SECRETS_KEY",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        ),
    ]
}

fn spoiled() -> Vec<(&'static str, &'static str)> {
    vec![
        ("PORT", "70000"),
        ("BIND", "somewhere"),
        ("AMQP_URL", "http://guest:amqp-password-in-here@127.0.0.1:9"),
        ("AMQP_QUEUE", "not_a_queue"),
        ("REDIS_URL", "127.0.0.1"),
        (
            "DATABASE_URL",
            "postgres://root:sql-password-in-here@127.0.0.1/x",
        ),
        ("SECRETS_KEY", "dG9vLXNob3J0"),
        ("SYNC_INTERVAL_MS", "soon"),
        ("SYNC_ON_CHANGE", "perhaps"),
        ("RESEND_AFTER_MS", "-5"),
        ("ROTATION_GRACE_MS", "1h"),
        ("TRUSTED_PROXIES", "everybody"),
        ("PEER_URLS", "consumer"),
        (
            "PROPAGATION_TARGETS",
            "consumer=entry-in-here,consumer=entry-in-here",
        ),
        ("LOG_FORMAT", "xml"),
    ]
}

#[test]
fn every_mistake_is_listed_before_anybody_is_contacted() {
    for arguments in [&["serve"][..], &["config", "check"], &[]] {
        let output = run("authority", arguments, &spoiled());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}: {text}");
        for (name, _) in spoiled() {
            assert!(
                text.lines()
                    .any(|line| line.starts_with(&format!("{name}:"))),
                "{arguments:?}: {name} in\n{text}"
            );
        }
        assert!(
            text.lines()
                .any(|line| line.starts_with("PROPAGATION_SECRET:")),
            "what is missing too:\n{text}"
        );
        for secret in [
            "amqp-password-in-here",
            "sql-password-in-here",
            "dG9vLXNob3J0",
            "entry-in-here",
        ] {
            assert!(
                !text.contains(secret),
                "{arguments:?}: a secret is shown in\n{text}"
            );
        }
    }
}

#[test]
fn a_receive_only_peer_is_told_of_its_mistakes_too() {
    let output = run(
        "consumer",
        &[],
        &[("PROPAGATION_SOURCES", "authority"), ("PORT", "x")],
    );
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    for name in [
        "PORT",
        "PROPAGATION_SECRET",
        "PROPAGATION_SOURCES",
        "REDIS_URL",
    ] {
        assert!(
            text.lines()
                .any(|line| line.starts_with(&format!("{name}:"))),
            "{name} in\n{text}"
        );
    }
}

#[test]
fn a_good_configuration_is_checked_without_a_server() {
    for peer in ["authority", "consumer"] {
        let output = run(peer, &["config", "check"], &good());
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{peer}: {text}");
        for (_, secret) in good()
            .into_iter()
            .filter(|(name, _)| ["PROPAGATION_SECRET", "SECRETS_KEY"].contains(name))
        {
            assert!(!text.contains(secret), "{peer}: {text}");
        }
    }
}

#[test]
fn a_probe_of_nobody_fails() {
    let port = [("PORT", "19"), ("BIND", "127.0.0.1")];
    let variables: Vec<_> = good()
        .into_iter()
        .filter(|(name, _)| *name != "PORT")
        .chain(port)
        .collect();
    let output = run("authority", &["healthcheck"], &variables);
    assert!(!output.status.success());
}
