//! What a peer's Redis lost, or had changed behind the mesh's back, is found by looking at it, and healed.

use std::collections::BTreeMap;

use redis::AsyncCommands;
use serde_json::{Value, json};

use crate::mesh::{Caller, Mesh, Options, Peer, until};

const FIRST: &str = "a secret before the dump";
const SECOND: &str = "a secret after the dump";
const CLIENTS: &str = "hmac:http:clients";
const INTERVAL_MS: &str = "1000";
/// When the last check ended, in seconds of the epoch.
const LAST_CHECK: &str =
    "propagation_drift_last_check_timestamp_seconds{peer=\"authority\",target=\"consumer\"}";
/// The first check comes within a tenth of it.
const LONG_INTERVAL_MS: &str = "100000";
/// One receives only, the other is a source itself.
const TARGETS: [Peer; 2] = [Peer::Consumer, Peer::LeptosAxum];

/// Everything in a peer's Redis that propagation keeps of the HTTP track: records and cursors.
struct Dump {
    records: BTreeMap<String, String>,
    cursors: BTreeMap<String, BTreeMap<String, String>>,
}

async fn flush(mesh: &Mesh, peer: Peer) {
    let mut redis = mesh.redis(peer).await.expect("Redis");
    redis::cmd("FLUSHALL")
        .exec_async(&mut redis)
        .await
        .expect("a flush");
}

async fn dump(mesh: &Mesh, peer: Peer) -> Dump {
    let mut redis = mesh.redis(peer).await.expect("Redis");
    let records = redis.hgetall(CLIENTS).await.expect("the records");
    let mut cursors = BTreeMap::new();
    for key in mesh.keys(peer, "propagation:last-seen:http:*").await {
        cursors.insert(key.clone(), redis.hgetall(&key).await.expect("a cursor"));
    }
    Dump { records, cursors }
}

async fn restore(mesh: &Mesh, peer: Peer, dump: &Dump) {
    let mut pipeline = redis::pipe();
    pipeline.atomic().cmd("FLUSHALL");
    for (client, record) in &dump.records {
        pipeline.hset(CLIENTS, client, record);
    }
    for (key, cursor) in &dump.cursors {
        pipeline.hset_multiple(key, &cursor.iter().collect::<Vec<_>>());
    }
    let mut redis = mesh.redis(peer).await.expect("Redis");
    pipeline.exec_async(&mut redis).await.expect("a restore");
}

/// Writes a record as a hand would.
async fn edit(mesh: &Mesh, peer: Peer, client: &str, record: &str) {
    let mut redis = mesh.redis(peer).await.expect("Redis");
    let _: () = redis.hset(CLIENTS, client, record).await.expect("an edit");
}

async fn healed(mesh: &Mesh) -> f64 {
    mesh.metric(Peer::Authority, "propagation_drift_healed_total")
        .await
}

/// Waits until hash, rules and expiry are as they were accepted.
async fn until_whole(mesh: &Mesh, peer: Peer, client: &str, expected: &Value) {
    let parts = ["secretHash", "expiresAt", "allowedIps"];
    until(
        &format!("{} holds {client} as it was accepted", peer.name()),
        async || {
            let record = mesh
                .record(peer, client)
                .await
                .ok()
                .flatten()
                .unwrap_or_default();
            match parts.iter().all(|part| record[part] == expected[part]) {
                true => Ok(()),
                false => Err("another record"),
            }
        },
    )
    .await;
}

async fn start() -> Mesh {
    start_with(INTERVAL_MS).await
}

async fn start_with(interval_ms: &str) -> Mesh {
    Options::default()
        .only(Peer::Authority, "DRIFT_INTERVAL_MS", interval_ms)
        .start()
        .await
}

#[tokio::test]
async fn drift_is_found_and_healed() {
    let mesh = start().await;
    let hash = |secret: &str| mesh.secrets.hash(Peer::Authority, secret);
    let (first, second) = (hash(FIRST), hash(SECOND));
    for client in ["kept", "rotated", "gone"] {
        mesh.ensure(Peer::Authority, client, FIRST, &TARGETS).await;
    }
    mesh.until_success(Peer::Authority, 6).await;
    let dumps = [dump(&mesh, TARGETS[0]).await, dump(&mesh, TARGETS[1]).await];
    mesh.rotate(Peer::Authority, "rotated", SECOND).await;
    mesh.revoke(Peer::Authority, "gone", &TARGETS).await;
    mesh.until_success(Peer::Authority, 6).await;
    assert_eq!(healed(&mesh).await, 0.0, "nothing is wrong yet");

    for (target, dump) in TARGETS.into_iter().zip(&dumps) {
        // Flushed.
        flush(&mesh, target).await;
        mesh.until_converged("kept", &[target], Some(&first)).await;
        mesh.until_converged("rotated", &[target], Some(&second))
            .await;
        mesh.until_success(Peer::Authority, 6).await;

        // Restored from a dump of before: a revoked client is let in again, and an old secret.
        restore(&mesh, target, dump).await;
        mesh.until_converged("gone", &[target], None).await;
        mesh.until_converged("rotated", &[target], Some(&second))
            .await;
        mesh.until_success(Peer::Authority, 6).await;

        // Edited by hand.
        let whole = mesh
            .record(target, "kept")
            .await
            .unwrap()
            .expect("the record");
        let edits = [
            json!({ "secretHash": second.expose() }),
            json!({ "expiresAt": 4_102_444_800_000_i64 }),
            json!({ "allowedIps": ["0.0.0.0/0"] }),
        ];
        for change in edits {
            let mut edited = whole.clone();
            edited
                .as_object_mut()
                .expect("a record")
                .extend(change.as_object().expect("a change").clone());
            edit(&mesh, target, "kept", &edited.to_string()).await;
            until_whole(&mesh, target, "kept", &whole).await;
            mesh.until_success(Peer::Authority, 6).await;
        }
        edit(&mesh, target, "kept", "{\"spoiled\":true}").await;
        edit(&mesh, target, "gone", &whole.to_string()).await;
        until_whole(&mesh, target, "kept", &whole).await;
        mesh.until_converged("gone", &[target], None).await;
        mesh.until_success(Peer::Authority, 6).await;
        let caller = Caller::new("kept", first.clone());
        mesh.until_let_in(&[target], &caller).await;
    }
    // Flush 3 (of the revocation the cursor), dump 2, edits 3 + 2, on each target.
    assert_eq!(healed(&mesh).await, 20.0);
    let found = mesh.log(Peer::Authority).await;
    assert!(
        found.contains("drift: the target holds a client that was revoked"),
        "the log says what it was"
    );
}

/// It may have forgotten what it confirmed last, which is not left to the next interval.
#[tokio::test]
async fn a_redis_that_was_started_again_is_looked_at_at_once() {
    let mut mesh = start_with(LONG_INTERVAL_MS).await;
    let hash = mesh.secrets.hash(Peer::Authority, FIRST);
    mesh.ensure(Peer::Authority, "forgotten", FIRST, &TARGETS)
        .await;
    mesh.ensure(Peer::Authority, "revoked", FIRST, &TARGETS)
        .await;
    mesh.until_success(Peer::Authority, 4).await;
    let dump = dump(&mesh, Peer::Consumer).await;
    mesh.revoke(Peer::Authority, "revoked", &TARGETS).await;
    mesh.until_success(Peer::Authority, 4).await;
    // The first check is over; the next comes too late for this story.
    mesh.until_metric(Peer::Authority, LAST_CHECK, 1.0).await;
    for peer in [Peer::Consumer, Peer::Authority] {
        match peer {
            Peer::Consumer => restore(&mesh, peer, &dump).await,
            _ => flush(&mesh, peer).await,
        }
        let mut redis = mesh.redis(peer).await.expect("Redis");
        let _: i64 = redis.hdel(CLIENTS, "forgotten").await.expect("a loss");
        // Not killed, so that it does not forget that loss.
        mesh.redis_of(peer).stop().await;
        mesh.redis_of(peer).start().await;
        mesh.until_converged("forgotten", &[peer], Some(&hash))
            .await;
        mesh.until_converged("revoked", &[peer], None).await;
    }
    mesh.until_success(Peer::Authority, 4).await;
    // Both clients of the target; of the source's own store the one, and of the other the revocation.
    assert_eq!(healed(&mesh).await, 4.0);
    let log = mesh.log(Peer::Authority).await;
    assert_eq!(
        log.matches("a peer's store was started again").count(),
        2,
        "the log says why"
    );
}

#[tokio::test]
async fn a_source_fills_its_own_redis_again() {
    let mesh = start().await;
    let hash = mesh.secrets.hash(Peer::Authority, FIRST);
    mesh.ensure(Peer::Authority, "told", FIRST, &[Peer::Consumer])
        .await;
    mesh.ensure(Peer::Authority, "local", FIRST, &[]).await;
    mesh.until_success(Peer::Authority, 1).await;
    flush(&mesh, Peer::Authority).await;
    for client in ["told", "local"] {
        mesh.until_converged(client, &[Peer::Authority], Some(&hash))
            .await;
    }
    // What it writes of its own does not look like a change of somebody else.
    let answer = mesh
        .accept(Peer::Authority, "/resync", &json!({ "target": "consumer" }))
        .await;
    assert_eq!(answer["targetsPublished"], 1, "{answer}");
    mesh.until_success(Peer::Authority, 1).await;
}

#[tokio::test]
async fn a_newer_change_of_another_source_is_no_drift() {
    let mesh = start().await;
    mesh.ensure(Peer::Authority, "shared", FIRST, &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::Authority, 1).await;
    mesh.ensure(Peer::LeptosAxum, "shared", SECOND, &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::LeptosAxum, 1).await;
    let theirs = mesh.secrets.hash(Peer::LeptosAxum, SECOND);
    mesh.until_converged("shared", &[Peer::Consumer], Some(&theirs))
        .await;
    // Two whole checks later it is still there.
    mesh.until_metric(Peer::Authority, LAST_CHECK, 1.0).await;
    let at = mesh.metric(Peer::Authority, LAST_CHECK).await;
    mesh.until_metric(Peer::Authority, LAST_CHECK, at + 1.5)
        .await;
    mesh.until_converged("shared", &[Peer::Consumer], Some(&theirs))
        .await;
    assert_eq!(healed(&mesh).await, 0.0);
}
