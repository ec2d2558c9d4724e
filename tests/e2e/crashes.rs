//! Peers and their stores are killed in the middle of changes and signed calls. What was accepted converges.

use crate::mesh::{Mesh, Options, Peer, Traffic};

const CHANGES: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_killed_in_the_middle_is_recovered() {
    let mut mesh = Mesh::start().await;
    let traffic = Traffic::start_fast(&mesh, Peer::Authority, &[Peer::Consumer]).await;
    for round in 1..=3 {
        traffic.until_accepted(CHANGES * round / 4).await;
        mesh.kill_peer(Peer::Consumer).await;
        mesh.launch(Peer::Consumer).await;
    }
    traffic.until_accepted(CHANGES).await;
    mesh.until_ready(Peer::Consumer).await;
    traffic.converges(&mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_killed_in_the_middle_is_recovered() {
    // What a killed source had claimed is free again after its lease; what it had sent is sent again when no ack is booked.
    let mut mesh = Options::default()
        .everyone("RESEND_AFTER_MS", "2000")
        .start()
        .await;
    let traffic =
        Traffic::start_fast(&mesh, Peer::Authority, &[Peer::Consumer, Peer::LeptosAxum]).await;
    for round in 1..=3 {
        traffic.until_accepted(CHANGES * round / 4).await;
        mesh.kill_peer(Peer::Authority).await;
        mesh.launch(Peer::Authority).await;
    }
    traffic.until_accepted(CHANGES).await;
    let seen = traffic.converges(&mesh).await;
    assert!(seen.refused > 0, "the source was away for a while");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_loses_nothing() {
    let mut mesh = Mesh::start().await;
    let traffic =
        Traffic::start_fast(&mesh, Peer::Authority, &[Peer::Consumer, Peer::LeptosAxum]).await;
    for (round, peer) in [Peer::Consumer, Peer::Authority, Peer::LeptosAxum]
        .into_iter()
        .enumerate()
    {
        traffic.until_accepted(CHANGES * (round + 1) / 4).await;
        mesh.stop_peer(peer).await;
        mesh.launch(peer).await;
    }
    traffic.until_accepted(CHANGES).await;
    traffic.converges(&mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_store_slows_it_does_not_spin() {
    let mut mesh = Options::default().drift_as_by_default().start().await;
    let traffic = Traffic::start_fast(&mesh, Peer::Authority, &[Peer::Consumer]).await;
    traffic.until_accepted(CHANGES / 4).await;
    let held = traffic.hold_calls().await;
    mesh.redis_of(Peer::Consumer).kill().await;
    drop(held);
    mesh.until_missing(Peer::Consumer, "redis").await;
    let answer = mesh
        .call(Peer::Consumer, &traffic.caller(&mesh))
        .await
        .unwrap();
    assert_eq!(
        answer.status, 503,
        "never an accept without the store of nonces: {answer}"
    );
    traffic.until_accepted(CHANGES / 2).await;
    let delayed = mesh
        .metric(Peer::Consumer, "propagation_deliveries_delayed_total")
        .await;
    assert!(delayed < 20_000.0, "{delayed} waits are a hot loop");
    mesh.redis_of(Peer::Consumer).start().await;
    mesh.until_ready(Peer::Consumer).await;
    traffic.until_accepted(CHANGES).await;
    traffic.converges(&mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_of_a_source_killed_in_the_middle_is_recovered() {
    let options = Options::default().drift_as_by_default();
    let mut mesh = options.everyone("RESEND_AFTER_MS", "2000").start().await;
    let traffic = Traffic::start_fast(&mesh, Peer::Authority, &[Peer::Consumer]).await;
    traffic.until_accepted(CHANGES / 4).await;
    let held = traffic.hold_calls().await;
    mesh.redis_of(Peer::Authority).kill().await;
    drop(held);
    mesh.until_missing(Peer::Authority, "redis").await;
    mesh.redis_of(Peer::Authority).start().await;
    traffic.until_accepted(CHANGES).await;
    mesh.until_ready(Peer::Authority).await;
    traffic.converges(&mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_killed_in_the_middle_is_recovered() {
    let mut mesh = Options::default()
        .private_mariadb()
        .everyone("RESEND_AFTER_MS", "2000")
        .start()
        .await;
    let traffic =
        Traffic::start_fast(&mesh, Peer::Authority, &[Peer::Consumer, Peer::LeptosAxum]).await;
    traffic.until_accepted(CHANGES / 4).await;
    mesh.mariadb.kill().await;
    mesh.until_missing(Peer::Authority, "sql").await;
    let body = serde_json::json!({ "clientId": "meanwhile", "secret": "a secret meanwhile", "targets": [] });
    let answer = mesh.post(Peer::Authority, "/ensure", &body).await.unwrap();
    assert_eq!(answer.status, 503, "it says so and does not hang: {answer}");
    mesh.mariadb.start().await;
    mesh.until_ready(Peer::Authority).await;
    traffic.until_accepted(CHANGES).await;
    let seen = traffic.converges(&mesh).await;
    assert!(seen.refused > 0, "changes were refused meanwhile");
    // Calls need no database.
    seen.only(&[200]);
}
