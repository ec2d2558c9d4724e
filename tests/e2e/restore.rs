//! A schema is restored from a backup, as `docs/operations.md` says.

use hmac_auth::secret_hash::SecretHash;
use serde_json::json;
use sqlx::mysql::MySqlConnection;

use crate::mesh::{Mesh, Peer};

const BEFORE: &str = "a secret before the backup";
const AFTER: &str = "a secret after the backup";
const TABLES: [&str; 2] = ["hmac_credential", "hmac_credential_target"];

async fn execute(connection: &mut MySqlConnection, statement: String) {
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone()))
        .execute(connection)
        .await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Keeps a copy of the tables that changes are in.
async fn back_up(mesh: &Mesh) {
    let mut connection = mesh.sql(Peer::Authority).await.expect("SQL");
    for table in TABLES {
        execute(
            &mut connection,
            format!("CREATE TABLE backup_{table} AS SELECT * FROM {table}"),
        )
        .await;
    }
}

async fn restore(mesh: &Mesh) {
    let mut connection = mesh.sql(Peer::Authority).await.expect("SQL");
    for table in TABLES.iter().rev() {
        execute(&mut connection, format!("DELETE FROM {table}")).await;
    }
    for table in TABLES {
        execute(
            &mut connection,
            format!("INSERT INTO {table} SELECT * FROM backup_{table}"),
        )
        .await;
    }
}

async fn holds(mesh: &Mesh, hash: &SecretHash) {
    mesh.until_converged("restored", &[Peer::Authority, Peer::Consumer], Some(hash))
        .await;
}

#[tokio::test]
async fn a_restored_schema_overwrites_nothing_unless_it_is_told_to() {
    let mut mesh = Mesh::start().await;
    let hash = |secret: &str| mesh.secrets.hash(Peer::Authority, secret);
    let (before, after) = (hash(BEFORE), hash(AFTER));
    mesh.ensure(Peer::Authority, "restored", BEFORE, &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::Authority, 1).await;
    back_up(&mesh).await;
    mesh.rotate(Peer::Authority, "restored", AFTER).await;
    mesh.until_success(Peer::Authority, 1).await;

    // Keep what the mesh holds: neither the start nor a resync overwrites it.
    mesh.stop_peer(Peer::Authority).await;
    restore(&mesh).await;
    mesh.start_peer(Peer::Authority).await;
    let answer = mesh
        .accept(Peer::Authority, "/resync", &json!({ "target": "consumer" }))
        .await;
    assert_eq!(answer["targetsPublished"], 0, "{answer}");
    holds(&mesh, &after).await;

    // Go back to the backup.
    mesh.stop_peer(Peer::Authority).await;
    restore(&mesh).await;
    let mut redis = mesh.redis(Peer::Authority).await.expect("Redis");
    redis::cmd("FLUSHALL")
        .exec_async(&mut redis)
        .await
        .expect("a flush");
    crate::operations::run(&mesh, Peer::Authority, "fill the own store again").await;
    mesh.start_peer(Peer::Authority).await;
    let overwrite = json!({ "target": "consumer", "newer": "overwrite" });
    mesh.accept(Peer::Authority, "/resync", &overwrite).await;
    holds(&mesh, &before).await;
    mesh.until_success(Peer::Authority, 1).await;
    // And from there on.
    mesh.rotate(Peer::Authority, "restored", AFTER).await;
    holds(&mesh, &after).await;
}
