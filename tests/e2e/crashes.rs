//! Peers and their stores are killed in the middle of changes. What was accepted converges.

use crate::mesh::{Caller, Changes, Mesh, Options, Peer};

const CHANGES: usize = 200;

#[tokio::test]
async fn a_target_killed_in_the_middle_is_recovered() {
    let mut mesh = Mesh::start().await;
    let changes = Changes::start(&mesh, Peer::Authority, &[Peer::Consumer], CHANGES);
    for round in 1..=3 {
        changes.until_accepted(CHANGES * round / 4).await;
        mesh.kill_peer(Peer::Consumer).await;
        mesh.launch(Peer::Consumer).await;
    }
    changes.finish().await;
    mesh.until_ready(Peer::Consumer).await;
    mesh.until_success(Peer::Authority, CHANGES).await;
    mesh.until_holding(Peer::Authority, &[Peer::Authority, Peer::Consumer], CHANGES).await;
}

#[tokio::test]
async fn a_source_killed_in_the_middle_is_recovered() {
    // What a killed source had claimed is free again after its lease; what it had sent is sent again when no ack is booked.
    let mut mesh = Options::default().everyone("RESEND_AFTER_MS", "2000").start().await;
    let targets = [Peer::Consumer, Peer::LeptosAxum];
    let changes = Changes::start(&mesh, Peer::Authority, &targets, CHANGES);
    for round in 1..=3 {
        changes.until_accepted(CHANGES * round / 4).await;
        mesh.kill_peer(Peer::Authority).await;
        mesh.launch(Peer::Authority).await;
    }
    let refused = changes.finish().await;
    assert!(refused > 0, "the source was away for a while");
    mesh.until_success(Peer::Authority, CHANGES * targets.len()).await;
    let holders = [Peer::Authority, Peer::Consumer, Peer::LeptosAxum];
    mesh.until_holding(Peer::Authority, &holders, CHANGES).await;
    mesh.until_no_plain_secret(Peer::Authority).await;
}

#[tokio::test]
async fn shutdown_loses_nothing() {
    let mut mesh = Mesh::start().await;
    let changes = Changes::start(&mesh, Peer::Authority, &[Peer::Consumer, Peer::LeptosAxum], CHANGES);
    for (round, peer) in [Peer::Consumer, Peer::Authority, Peer::LeptosAxum].into_iter().enumerate() {
        changes.until_accepted(CHANGES * (round + 1) / 4).await;
        mesh.stop_peer(peer).await;
        mesh.launch(peer).await;
    }
    changes.finish().await;
    mesh.until_success(Peer::Authority, CHANGES * 2).await;
    mesh.until_holding(Peer::Authority, &[Peer::Authority, Peer::Consumer, Peer::LeptosAxum], CHANGES).await;
}

#[tokio::test]
async fn a_failing_store_slows_it_does_not_spin() {
    let mut mesh = Options::default().drift_as_by_default().start().await;
    let caller = |number| {
        let hash = mesh.secrets.hash(Peer::Authority, &Changes::secret(number));
        Caller::new(&format!("client-{number}"), hash)
    };
    let (first, last) = (caller(0), caller(CHANGES - 1));
    let changes = Changes::start(&mesh, Peer::Authority, &[Peer::Consumer], CHANGES);
    changes.until_accepted(CHANGES / 4).await;
    mesh.redis_of(Peer::Consumer).kill().await;
    mesh.until_missing(Peer::Consumer, "redis").await;
    let answer = mesh.call(Peer::Consumer, &first).await.unwrap();
    assert_eq!(answer.status, 503, "never an accept without the store of nonces: {answer}");
    changes.until_accepted(CHANGES / 2).await;
    let delayed = mesh.metric(Peer::Consumer, "propagation_deliveries_delayed_total").await;
    assert!(delayed < 20_000.0, "{delayed} waits are a hot loop");
    mesh.redis_of(Peer::Consumer).start().await;
    mesh.until_ready(Peer::Consumer).await;
    changes.finish().await;
    mesh.until_success(Peer::Authority, CHANGES).await;
    mesh.until_holding(Peer::Authority, &[Peer::Authority, Peer::Consumer], CHANGES).await;
    mesh.until_let_in(&[Peer::Consumer], &last).await;
}

#[tokio::test]
async fn the_store_of_a_source_killed_in_the_middle_is_recovered() {
    let options = Options::default().drift_as_by_default();
    let mut mesh = options.everyone("RESEND_AFTER_MS", "2000").start().await;
    let changes = Changes::start(&mesh, Peer::Authority, &[Peer::Consumer], CHANGES);
    changes.until_accepted(CHANGES / 4).await;
    mesh.redis_of(Peer::Authority).kill().await;
    mesh.until_missing(Peer::Authority, "redis").await;
    mesh.redis_of(Peer::Authority).start().await;
    changes.finish().await;
    mesh.until_ready(Peer::Authority).await;
    mesh.until_success(Peer::Authority, CHANGES).await;
    mesh.until_holding(Peer::Authority, &[Peer::Authority, Peer::Consumer], CHANGES).await;
}

#[tokio::test]
async fn mariadb_killed_in_the_middle_is_recovered() {
    let mut mesh = Options::default().private_mariadb().everyone("RESEND_AFTER_MS", "2000").start().await;
    let targets = [Peer::Consumer, Peer::LeptosAxum];
    let changes = Changes::start(&mesh, Peer::Authority, &targets, CHANGES);
    changes.until_accepted(CHANGES / 4).await;
    mesh.mariadb.kill().await;
    mesh.until_missing(Peer::Authority, "sql").await;
    let body = serde_json::json!({ "clientId": "meanwhile", "secret": "a secret meanwhile", "targets": [] });
    let answer = mesh.post(Peer::Authority, "/ensure", &body).await.unwrap();
    assert_eq!(answer.status, 503, "it says so and does not hang: {answer}");
    mesh.mariadb.start().await;
    mesh.until_ready(Peer::Authority).await;
    assert!(changes.finish().await > 0, "changes were refused meanwhile");
    mesh.until_success(Peer::Authority, CHANGES * targets.len()).await;
    let holders = [Peer::Authority, Peer::Consumer, Peer::LeptosAxum];
    mesh.until_holding(Peer::Authority, &holders, CHANGES).await;
    mesh.until_no_plain_secret(Peer::Authority).await;
}
