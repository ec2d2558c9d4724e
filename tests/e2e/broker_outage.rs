//! RabbitMQ dies in the middle of changes and comes back: everything converges, and nobody does anything by hand.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::mesh::{Changes, Options, Peer, until};

const CHANGES: usize = 500;

/// So long the broker stands still: longer than anybody waits for it.
const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_consumer_always_comes_back() {
    let mut mesh = Options::default().private_rabbitmq().start().await;
    let targets = Peer::Authority.others();
    let changes = Changes::start(&mesh, Peer::Authority, &targets, CHANGES);
    changes.until_accepted(CHANGES / 3).await;

    mesh.rabbitmq.kill().await;
    for peer in Peer::ALL {
        mesh.until_missing(peer, "broker").await;
    }
    // Signed calls and changes go on meanwhile: the latter are booked and wait.
    changes.until_accepted(CHANGES * 2 / 3).await;

    mesh.rabbitmq.start().await;
    let back = Instant::now();
    for peer in Peer::ALL {
        mesh.until_ready(peer).await;
    }
    println!("all peers ready {:.1?} after RabbitMQ was", back.elapsed());
    let refused = changes.finish().await;
    assert_eq!(refused, 0, "no change was refused for the broker's sake");
    mesh.until_success(Peer::Authority, CHANGES * targets.len()).await;
    println!("all {} rows success {:.1?} after RabbitMQ was back", CHANGES * targets.len(), back.elapsed());
    mesh.until_holding(Peer::Authority, &Peer::ALL, CHANGES).await;
    mesh.until_no_plain_secret(Peer::Authority).await;
}

#[tokio::test]
async fn a_peer_without_a_broker_starts_and_comes_ready_by_itself() {
    let mut mesh = Options::default().private_rabbitmq().start_without_peers().await;
    mesh.rabbitmq.stop().await;
    for peer in Peer::ALL {
        mesh.launch(peer).await;
    }
    for peer in Peer::ALL {
        mesh.until_missing(peer, "broker").await;
    }
    let targets: Vec<&str> = Peer::Authority.others().map(Peer::name).to_vec();
    let body = json!({ "clientId": "before", "secret": "a secret before the broker", "targets": targets });
    until("a change is accepted without a broker", async || {
        mesh.post(Peer::Authority, "/ensure", &body).await?.is(201)
    })
    .await;
    mesh.rabbitmq.start().await;
    for peer in Peer::ALL {
        mesh.until_ready(peer).await;
    }
    mesh.until_success(Peer::Authority, 3).await;
    let hash = mesh.secrets.hash(Peer::Authority, "a secret before the broker");
    mesh.until_converged("before", &Peer::ALL, Some(&hash)).await;
}

#[tokio::test]
async fn no_call_hangs_when_rabbitmq_stops_answering() {
    let mesh = Options::default().private_rabbitmq().start().await;
    mesh.rabbitmq.pause().await;
    let start = Instant::now();
    for number in 0..10 {
        mesh.ensure(Peer::Authority, &format!("paused-{number}"), "a secret meanwhile", &[Peer::Consumer])
            .await;
    }
    let took = start.elapsed();
    assert!(took.as_secs() < 20, "ten changes took {took:.1?}");
    for peer in Peer::ALL {
        mesh.until_missing(peer, "broker").await;
    }
    tokio::time::sleep(LONG.saturating_sub(start.elapsed())).await;
    mesh.rabbitmq.resume().await;
    for peer in Peer::ALL {
        mesh.until_ready(peer).await;
    }
    mesh.until_success(Peer::Authority, 10).await;
    let hash = mesh.secrets.hash(Peer::Authority, "a secret meanwhile");
    for number in 0..10 {
        mesh.until_converged(&format!("paused-{number}"), &[Peer::Consumer], Some(&hash)).await;
    }
}
