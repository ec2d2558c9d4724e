//! Past one machine: three nodes of the broker and two replicas of the authority (`compose.cluster.yaml`), of which any may go.

use reqwest::Method;
use serde_json::Value;

use crate::mesh::{Caller, Changes, Mesh, Options, Peer, until};

const SOME: usize = 20;

/// What a queue of the mesh is, by the broker's word.
async fn kind_of_queue(mesh: &Mesh, peer: Peer) -> String {
    let queue = mesh
        .broker(Method::GET, &mesh.queue_path(peer), &Value::Null)
        .await;
    let queue: Value = serde_json::from_str(&queue).expect("JSON");
    queue["type"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the mesh of compose.cluster.yaml; `cargo compose` runs it there"]
async fn a_node_and_a_replica_may_go_in_the_middle_of_changes() {
    let mut mesh = Options::default()
        .everyone("RESEND_AFTER_MS", "2000")
        .start()
        .await;
    let replica = mesh.part("authority-2");
    replica.start().await;
    let targets = Peer::Authority.others();
    for peer in Peer::ALL {
        assert_eq!(
            kind_of_queue(&mesh, peer).await,
            "quorum",
            "the queue of {}",
            peer.name()
        );
    }
    let changes = Changes::start_many(&mesh, Peer::Authority, &targets);
    for node in ["rabbitmq", "rabbitmq-2", "rabbitmq-3"] {
        let node = mesh.part(node);
        changes.until_more(SOME).await;
        node.kill().await;
        changes.until_more(SOME).await;
        node.start().await;
        until_whole(&mesh).await;
    }
    changes.until_more(SOME).await;
    mesh.kill_peer(Peer::Authority).await;
    // The other replica answers under the same name, and brings the changes on their way.
    changes.until_more(SOME).await;
    mesh.launch(Peer::Authority).await;
    mesh.until_ready(Peer::Authority).await;
    changes.until_more(SOME).await;
    replica.stop().await;
    changes.until_more(SOME).await;
    replica.start().await;
    let accepted = changes.end().await;
    mesh.until_success(Peer::Authority, Changes::clients(accepted) * targets.len())
        .await;
    mesh.until_holding(Peer::Authority, &Peer::ALL, accepted)
        .await;
    println!("{accepted} changes converged on {} targets", targets.len());
}

/// RabbitMQ 4 drops a message of a quorum queue after 20 deliveries unless a policy says otherwise: an outage with restarts has more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the mesh of compose.cluster.yaml; `cargo compose` runs it there"]
async fn a_message_delivered_often_is_still_applied() {
    const DELIVERIES: usize = 30;
    const CLIENT: &str = "often";
    const SECRET: &str = "a secret that takes thirty ways";
    // Only the first message may bring the change.
    let mut mesh = Options::default()
        .everyone("RESEND_AFTER_MS", "604800000")
        .start()
        .await;
    assert_eq!(kind_of_queue(&mesh, Peer::Consumer).await, "quorum");
    mesh.stop_peer(Peer::Consumer).await;
    mesh.ensure(Peer::Authority, CLIENT, SECRET, &[Peer::Consumer])
        .await;
    for _ in 0..DELIVERIES {
        // A consumer that is lost with the message in its hand.
        mesh.wire().await.take_and_go(Peer::Consumer.name()).await;
    }
    mesh.start_peer(Peer::Consumer).await;
    mesh.until_success(Peer::Authority, 1).await;
    let attempts: Vec<_> = mesh.rows(Peer::Authority).await.unwrap();
    assert!(attempts.iter().all(|row| row.attempts == 1), "sent once");
    mesh.until_let_in(
        &[Peer::Consumer],
        &Caller::new(CLIENT, mesh.secrets.hash(Peer::Authority, SECRET)),
    )
    .await;
}

/// Waits until all nodes of the broker run again.
async fn until_whole(mesh: &Mesh) {
    until("three nodes of the broker run", async || {
        let answer = mesh
            .try_broker(Method::GET, "/api/nodes", &Value::Null)
            .await;
        let (_, text) = answer.map_err(|error| error.to_string())?;
        let nodes: Value = serde_json::from_str(&text).map_err(|_| text)?;
        let running = nodes
            .as_array()
            .into_iter()
            .flatten()
            .filter(|node| node["running"] == true)
            .count();
        if running == 3 {
            Ok(())
        } else {
            Err(format!("{running} run"))
        }
    })
    .await;
}
