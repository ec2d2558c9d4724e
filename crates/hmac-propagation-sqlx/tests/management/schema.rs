//! Starting on a database that others start on too.

use auth_base::error_chain::chain;
use futures_util::future::join_all;
use hmac_propagation_sqlx::state::AuditEntry;
use hmac_propagation_sqlx::{SecretsKey, SqlManagement, SqlOptions};

use crate::databases::{Databases, connect, execute, on_both, texts};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_of_mariadb_start_at_once() {
    replicas_start_at_once(Databases::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_of_sqlite_start_at_once() {
    replicas_start_at_once(Databases::sqlite()).await;
}

async fn replicas_start_at_once(databases: Databases) {
    let url = databases.fresh().await;
    join_all((0..6).map(|_| connect(&url))).await;
    let versions = "SELECT CAST(version AS CHAR) FROM hmac_propagation_schema ORDER BY version";
    assert_eq!(texts(&url, versions).await, ["1", "2"]);
    // A start that was killed before it booked the version.
    execute(&url, "DELETE FROM hmac_propagation_schema").await;
    execute(&url, "DROP TABLE hmac_credential_target_audit").await;
    let management = connect(&url).await;
    assert_eq!(texts(&url, versions).await, ["1", "2"]);
    assert!(
        management
            .history(&crate::databases::key("nobody"), None, 1)
            .await
            .unwrap()
            .is_empty()
    );
}

/// It is named in words, with the way out; nothing is made and nothing booked beside its tables, not even after a version that
/// did book itself.
async fn a_schema_of_the_original_is_left_alone(databases: Databases) {
    let url = databases.fresh().await;
    let original = "CREATE TABLE hmac_credential (client_id VARCHAR(128) NOT NULL PRIMARY KEY, plain_secret TEXT)";
    let (new, tables) = match url.starts_with("sqlite:") {
        true => (
            format!("{url}?mode=rwc"),
            "SELECT name FROM sqlite_master WHERE type = 'table'",
        ),
        false => (
            url.clone(),
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
        ),
    };
    execute(&new, original).await;
    for _ in 0..2 {
        let key = SecretsKey::new([1; 32]);
        let refused = SqlManagement::connect(&url, key, SqlOptions::default()).await;
        let words = chain(&refused.err().unwrap());
        for part in ["hmac_credential", "DATABASE_URL", "migrating-from-node"] {
            assert!(words.contains(part), "{words}");
        }
    }
    assert_eq!(texts(&url, tables).await, ["hmac_credential"]);
    let booked = "CREATE TABLE hmac_propagation_schema (version BIGINT NOT NULL, PRIMARY KEY (version)); \
                  INSERT INTO hmac_propagation_schema VALUES (1)";
    execute(&url, booked).await;
    let key = SecretsKey::new([1; 32]);
    let refused = SqlManagement::connect(&url, key, SqlOptions::default()).await;
    assert!(refused.is_err());
}

on_both! {
    a_schema_of_the_original_is_left_alone =>
        a_mariadb_schema_of_the_original_is_left_alone, a_sqlite_schema_of_the_original_is_left_alone;
}

/// What an earlier version wrote is read, and it goes on writing beside this one: it knows no column of the second migration.
async fn an_earlier_version_writes_beside_this_one(databases: Databases) {
    const ROW: &str = "INSERT INTO hmac_credential_target_audit \
         (at_ms, track, client_id, transition, generation) VALUES (1, 'http', 'known', 'ensured', 1)";
    let url = databases.fresh().await;
    connect(&url).await.close().await;
    // As the first migration left it.
    for column in ["actor", "request_id"] {
        let drop = format!("ALTER TABLE hmac_credential_target_audit DROP COLUMN {column}");
        execute(&url, &drop).await;
    }
    execute(
        &url,
        "DELETE FROM hmac_propagation_schema WHERE version > 1",
    )
    .await;
    execute(&url, ROW).await;
    let management = connect(&url).await;
    execute(&url, ROW).await;
    let key = crate::databases::key("known");
    let history = management.history(&key, None, 9).await.unwrap();
    assert_eq!(history.len(), 2);
    let is_known = |entry: &AuditEntry| entry.actor.is_some() || entry.request_id.is_some();
    assert!(!history.iter().any(is_known), "{history:?}");
}

on_both! {
    an_earlier_version_writes_beside_this_one =>
        an_earlier_version_writes_beside_this_one_on_mariadb, an_earlier_version_writes_beside_this_one_on_sqlite;
}

#[tokio::test]
async fn a_database_in_memory_lives_as_long_as_its_store() {
    let management = SqlManagement::connect(
        "sqlite::memory:",
        SecretsKey::new([1; 32]),
        SqlOptions::default(),
    )
    .await
    .unwrap();
    assert!(management.targets().await.unwrap().is_empty());
    assert_eq!(management.counts().await.unwrap().pending, 0);
}
