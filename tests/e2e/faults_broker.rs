//! The broker fails in the ways a broker fails, while changes and signed calls go on. No change is refused for its sake, and when it
//! works again everything converges.

use reqwest::Method;
use serde_json::{Value, json};

use crate::mesh::{Mesh, Options, Peer, Traffic, all_rights, until};

const SOURCE: Peer = Peer::Authority;

/// A story's broker is its own: what is done to it is felt by all of its vhosts.
async fn start() -> (Mesh, Traffic) {
    let mesh = Options::default()
        .private_rabbitmq()
        .everyone("RESEND_AFTER_MS", "2000")
        .start()
        .await;
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    (mesh, traffic)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_closed_by_the_broker_come_back() {
    let (mesh, traffic) = start().await;
    for _ in 0..2 {
        mesh.close_connections(Peer::ALL.len()).await;
        traffic.until_more(10).await;
        mesh.until_all_ready().await;
    }
    traffic.converges_unnoticed(&mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purged_or_deleted_queue_loses_nothing() {
    let (mut mesh, traffic) = start().await;
    let wire = mesh.wire().await;
    for peer in Peer::ALL {
        let queue = mesh.queue_path(peer);
        // While its peer is here, the queue itself goes; while it is away, all that waits goes with it.
        mesh.broker(Method::DELETE, &queue, &Value::Null).await;
        traffic.until_more(10).await;
        if peer == SOURCE {
            continue;
        }
        for what in [format!("{queue}/contents"), queue] {
            mesh.until_ready(peer).await;
            mesh.stop_peer(peer).await;
            until("events wait", async || {
                match wire.waiting(peer.name()).await {
                    0 => Err("none does"),
                    _ => Ok(()),
                }
            })
            .await;
            mesh.broker(Method::DELETE, &what, &Value::Null).await;
            mesh.launch(peer).await;
            traffic.until_more(10).await;
        }
    }
    mesh.until_all_ready().await;
    let seen = traffic.converges(&mesh).await;
    seen.only(&[0, 200]);
    assert_eq!(seen.refused, 0, "changes need no queue");
    let repeated = mesh
        .rows(SOURCE)
        .await
        .unwrap()
        .iter()
        .filter(|row| row.attempts > 1)
        .count();
    println!("{repeated} rows were sent more than once");
    assert!(repeated > 0, "what was thrown away was sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_vhost_is_waited_for() {
    let (mesh, traffic) = start().await;
    mesh.delete_vhost().await;
    mesh.until_all_missing("broker").await;
    traffic.until_more(10).await;
    mesh.make_vhost().await;
    traffic.converges_unnoticed(&mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_taken_away_is_waited_for() {
    let (mesh, traffic) = start().await;
    for taken in ["write", "read", "configure"] {
        let mut rights = all_rights();
        rights[taken] = json!("^$");
        mesh.grant(&rights).await;
        // What is cached of rights goes with the channels.
        mesh.close_connections(Peer::ALL.len()).await;
        traffic.until_more(10).await;
        match taken {
            "write" => mesh.until_open(SOURCE, 10).await,
            _ => mesh.until_all_missing("broker").await,
        }
        mesh.restore_rights().await;
        mesh.until_all_ready().await;
        println!("without {taken}: all ready again");
    }
    traffic.converges_unnoticed(&mesh).await;
}
