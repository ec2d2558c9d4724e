//! The program: it seals anew, and it ends when it is asked to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use jwt_auth::Algorithm;
use kms::{KeyId, KeyManagement as _};
use kms_sqlx::{KmsDatabase, SecretsKey, SqlKeyManagement, SqlOptions};
use serde_json::json;

/// 32 bytes of 1, and 32 bytes of 2.
const OLD: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("keys.db").display())
}

async fn keys(folder: &Path, key: &str) -> SqlKeyManagement {
    let database = KmsDatabase::connect(&url(folder), SqlOptions::default()).await;
    SqlKeyManagement::new(database.unwrap(), &SecretsKey::parse(key).unwrap())
}

/// `kms-server reseal`, told by the environment or not.
fn reseal(provider: &serde_json::Value, folder: &Path, by_flag: bool) -> Output {
    let config = folder.join("kms.json");
    std::fs::write(&config, json!({ "providers": [provider] }).to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kms-server"));
    command.env_clear().arg("reseal");
    match by_flag {
        true => command.arg("--config").arg(config),
        false => command.env("KMS_CONFIG", config),
    };
    command
        .env("SECRETS", format!("{NEW},{OLD}"))
        .output()
        .unwrap()
}

#[tokio::test]
async fn a_change_of_the_secrets_key_is_finished_by_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let kid = KeyId::parse("first").unwrap();
    let before = keys(folder.path(), OLD).await;
    let key = before.generate(&kid, Algorithm::EdDsa).await.unwrap();
    let provider = json!({ "id": "db", "type": "sql", "databaseUrl": url(folder.path()), "secretsKey": "${SECRETS}" });
    for (by_flag, told) in [
        (
            true,
            "private_keys.sealed_private: 1 sealed anew, 0 already, 0 unreadable\n",
        ),
        (
            false,
            "private_keys.sealed_private: 0 sealed anew, 1 already, 0 unreadable\n",
        ),
    ] {
        let done = reseal(&provider, folder.path(), by_flag);
        let printed = String::from_utf8(done.stdout).unwrap();
        assert!(
            done.status.success() && printed.starts_with(told),
            "{printed}"
        );
    }
    let after = keys(folder.path(), NEW).await;
    let signature = after.sign(&kid, Algorithm::EdDsa, b"input").await.unwrap();
    assert_eq!(key.verify(b"input", &signature), Ok(()));
    assert!(before.sign(&kid, Algorithm::EdDsa, b"input").await.is_err());

    // What is left under a key that nobody has: the operator is told, by a status too.
    let kid = KeyId::parse("lost").unwrap();
    let key = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
    let lost = keys(folder.path(), key).await;
    lost.generate(&kid, Algorithm::EdDsa).await.unwrap();
    let done = reseal(&provider, folder.path(), true);
    let printed = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(
        printed.contains("  unreadable: lost: sealed with a key that is not configured\n"),
        "{printed}"
    );
    let all = [printed.into_bytes(), done.stderr].concat();
    let all = String::from_utf8(all).unwrap();
    assert!(!all.contains(NEW) && !all.contains(OLD), "{all}");
}

#[test]
fn what_seals_no_keys_is_a_wrong_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let done = reseal(&json!({ "id": "m", "type": "memory" }), folder.path(), true);
    assert_eq!(done.status.code(), Some(2));
    let told = String::from_utf8(done.stderr).unwrap();
    let mistake = "KMS_CONFIG: provider m: of the type memory, which seals no keys here";
    assert!(told.contains(mistake), "{told}");
}
