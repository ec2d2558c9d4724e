//! RabbitMQ dies in the middle of changes and comes back: everything converges, and nobody does anything by hand.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::mesh::{Caller, Options, Peer, Traffic, until};

const CHANGES: usize = 500;

/// So long the broker stands still: longer than anybody waits for it.
const LONG: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_consumer_always_comes_back() {
    let mut mesh = Options::default().private_rabbitmq().start().await;
    let targets = Peer::Authority.others();
    let traffic = Traffic::start_fast(&mesh, Peer::Authority, &targets).await;
    traffic.until_accepted(CHANGES / 3).await;

    mesh.rabbitmq.kill().await;
    mesh.until_all_missing("broker").await;
    // Signed calls and changes go on meanwhile: the latter are booked and wait.
    traffic.until_accepted(CHANGES * 2 / 3).await;

    mesh.rabbitmq.start().await;
    let back = Instant::now();
    mesh.until_all_ready().await;
    println!("all peers ready {:.1?} after RabbitMQ was", back.elapsed());
    traffic.until_accepted(CHANGES).await;
    traffic.converges_unnoticed(&mesh).await;
    println!(
        "all converged {:.1?} after RabbitMQ was back",
        back.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_without_a_broker_starts_and_comes_ready_by_itself() {
    let mut mesh = Options::default()
        .private_rabbitmq()
        .start_without_peers()
        .await;
    mesh.rabbitmq.stop().await;
    mesh.launch_all().await;
    mesh.until_all_missing("broker").await;
    let targets: Vec<&str> = Peer::Authority.others().map(Peer::name).to_vec();
    let body =
        json!({ "clientId": "before", "secret": "a secret before the broker", "targets": targets });
    until("a change is accepted without a broker", async || {
        mesh.post(Peer::Authority, "/ensure", &body).await?.is(201)
    })
    .await;
    let hash = mesh
        .secrets
        .hash(Peer::Authority, "a secret before the broker");
    mesh.until_let_in(&[Peer::Authority], &Caller::new("before", hash.clone()))
        .await;
    mesh.rabbitmq.start().await;
    mesh.until_all_ready().await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.until_converged("before", &Peer::ALL, Some(&hash))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_hangs_when_rabbitmq_stops_answering() {
    const OTHER: Peer = Peer::LeptosAxum;
    let mesh = Options::default().private_rabbitmq().start().await;
    let traffic = Traffic::start(&mesh, Peer::Authority, &Peer::Authority.others()).await;
    mesh.rabbitmq.pause().await;
    let start = Instant::now();
    for number in 0..10 {
        mesh.ensure(
            OTHER,
            &format!("paused-{number}"),
            "a secret meanwhile",
            &[Peer::Consumer],
        )
        .await;
    }
    let took = start.elapsed();
    assert!(took.as_secs() < 20, "ten changes took {took:.1?}");
    mesh.until_all_missing("broker").await;
    traffic.until_more(10).await;
    tokio::time::sleep(LONG.saturating_sub(start.elapsed())).await;
    mesh.rabbitmq.resume().await;
    mesh.until_all_ready().await;
    mesh.until_success(OTHER, 10).await;
    let hash = mesh.secrets.hash(OTHER, "a secret meanwhile");
    for number in 0..10 {
        mesh.until_converged(
            &format!("paused-{number}"),
            &[OTHER, Peer::Consumer],
            Some(&hash),
        )
        .await;
    }
    traffic.converges_unnoticed(&mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vhost_that_is_missing_at_the_start_is_waited_for() {
    let mut mesh = Options::default()
        .private_rabbitmq()
        .start_without_peers()
        .await;
    mesh.delete_vhost().await;
    mesh.launch_all().await;
    mesh.until_all_missing("broker").await;
    mesh.make_vhost().await;
    mesh.until_all_ready().await;
    let traffic = Traffic::start(&mesh, Peer::Authority, &Peer::Authority.others()).await;
    traffic.converges_unnoticed(&mesh).await;
}
