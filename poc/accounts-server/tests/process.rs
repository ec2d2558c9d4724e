//! The program: it makes the first admin, it names every mistake, and it ends when it is asked to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_accounts-server"));
    command.env_clear();
    command
}

fn user(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let url = format!("sqlite:{}", folder.join("accounts.db").display());
    let mut running = program()
        .env("ACCOUNTS_DATABASE_URL", url)
        .env("ACCOUNTS_LINK_KEY", KEY)
        .arg("user")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    running.wait_with_output().unwrap()
}

#[test]
fn the_first_admin_is_made_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let add = [
        "add",
        "--email",
        "Ada@example.org",
        "--name",
        "Ada",
        "--role",
        "admin",
    ];
    let done = user(folder.path(), &add, "");
    let told = String::from_utf8(done.stdout).unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(told.contains("ada@example.org\n"), "{told}");
    assert!(told.contains("link to choose a password: lnk_"), "{told}");

    let again = user(folder.path(), &add, "");
    assert_eq!(again.status.code(), Some(1));
    let told = String::from_utf8(again.stderr).unwrap();
    assert!(told.contains("another account has this") || told.contains("Another account has this"));

    let mut bob = add.to_vec();
    bob[2] = "bob@example.org";
    bob[6] = "viewer";
    bob.push("--password-stdin");
    let weak = user(folder.path(), &bob, "secret\n");
    assert_eq!(weak.status.code(), Some(1));
    let done = user(folder.path(), &bob, "seventeen purple otters juggle\n");
    assert!(done.status.success());
    let listed = user(folder.path(), &["list"], "");
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains("ada@example.org  admin  no password\n"),
        "{listed}"
    );
    assert!(
        listed.contains("bob@example.org  viewer  active\n"),
        "{listed}"
    );
    for output in [weak, done] {
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8(all).unwrap();
        assert!(!all.contains("otters") && !all.contains(KEY), "{all}");
    }
}

#[test]
fn every_mistake_is_named_before_anything_starts() {
    let done = program()
        .args(["--listen=nowhere", "--audit-days=0", "--link-key=mine"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2));
    let told = String::from_utf8(done.stderr).unwrap();
    for mistake in [
        "ACCOUNTS_LISTEN: ",
        "ACCOUNTS_DATABASE_URL: is required",
        "GATEWAY_KEYS: is required",
        "ACCOUNTS_LINK_KEY: is not 32 bytes",
        "AUDIT_DAYS: ",
    ] {
        assert!(told.contains(mistake), "{told}");
    }
    assert!(!told.contains("mine"), "{told}");
}

#[test]
fn it_serves_until_it_is_asked_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("jwks.json");
    std::fs::write(&keys, r#"{"keys":[]}"#).unwrap();
    let mut running = program()
        .args(["--memory", "--listen=127.0.0.1:0", "--gateway-keys"])
        .arg(&keys)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let first = lines.next().unwrap();
    assert!(first.contains("ACCOUNTS_LINK_KEY is not given"), "{first}");
    assert!(lines.any(|line| line.contains("listening")));
    let pid = running.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(asked.success());
    assert!(running.wait().unwrap().success());
}
