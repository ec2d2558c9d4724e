//! Starting on a database that others start on too.

use futures_util::future::join_all;
use hmac_propagation_sqlx::{SecretsKey, SqlManagement, SqlOptions};

use crate::databases::{Databases, connect, execute, texts};

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
    let versions = "SELECT CAST(version AS CHAR) FROM hmac_propagation_schema";
    assert_eq!(texts(&url, versions).await, ["1"]);
    // A start that was killed before it booked the version.
    execute(&url, "DELETE FROM hmac_propagation_schema").await;
    execute(&url, "DROP TABLE hmac_credential_target_audit").await;
    let management = connect(&url).await;
    assert_eq!(texts(&url, versions).await, ["1"]);
    assert!(
        management
            .history(&crate::databases::key("nobody"), None, 1)
            .await
            .unwrap()
            .is_empty()
    );
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
