//! Single changes, one after the other, each waiting for nothing but its own answer: no row is left behind, no ack is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;

use crate::mesh::{Changes, Mesh, Peer};

const CHANGES: usize = 1_000;

#[tokio::test]
async fn an_ack_is_never_lost() {
    let mesh = Mesh::start().await;
    let targets = [Peer::Consumer, Peer::LeptosAxum];
    let client = |number: usize| format!("client-{number}");
    let start = Instant::now();
    for number in 0..CHANGES {
        mesh.ensure(
            Peer::Authority,
            &client(number),
            &Changes::secret(number),
            &targets,
        )
        .await;
    }
    let accepted = start.elapsed();
    mesh.until_success(Peer::Authority, CHANGES * targets.len())
        .await;
    let converged = start.elapsed();
    for peer in [Peer::Authority, Peer::Consumer, Peer::LeptosAxum] {
        let records = mesh.records(peer).await.unwrap();
        for number in 0..CHANGES {
            let hash = mesh.secrets.hash(Peer::Authority, &Changes::secret(number));
            assert_eq!(
                records[&client(number)]["secretHash"],
                hash.expose(),
                "{number} at {}",
                peer.name()
            );
        }
    }

    let metric = async |name: &str| mesh.metric(Peer::Authority, name).await;
    let events = metric("propagation_events_published_total").await;
    assert_eq!(
        metric("propagation_changes_accepted_total").await,
        CHANGES as f64
    );
    assert!(
        events >= (CHANGES * targets.len()) as f64,
        "{events} events"
    );
    assert_eq!(
        metric("propagation_acks_booked_total").await,
        events,
        "acks booked and events published"
    );
    assert_eq!(
        metric("propagation_acks_unknown_total").await,
        0.0,
        "no ack came that nobody waited for"
    );
    assert_eq!(metric("propagation_messages_dropped_total").await, 0.0);
    for target in targets {
        assert_eq!(
            mesh.metric(target, "propagation_events_refused_total")
                .await,
            0.0
        );
        assert_eq!(
            mesh.metric(target, "propagation_messages_dropped_total")
                .await,
            0.0
        );
    }
    println!(
        "{CHANGES} single changes accepted in {accepted:.1?}, all {events} rows success after {converged:.1?}"
    );
}

#[tokio::test]
async fn a_success_row_means_the_target_has_it() {
    const ROTATIONS: usize = 200;
    let mesh = Mesh::start().await;
    let targets = Peer::Authority.others();
    mesh.ensure(
        Peer::Authority,
        "restless",
        "the first secret of the restless",
        &targets,
    )
    .await;
    // Each rotation may find the one before it pending, claimed, sent or just acknowledged.
    for number in 0..ROTATIONS {
        mesh.rotate(Peer::Authority, "restless", &Changes::secret(number))
            .await;
    }
    mesh.until_success(Peer::Authority, targets.len()).await;
    let last = mesh
        .secrets
        .hash(Peer::Authority, &Changes::secret(ROTATIONS - 1));
    for peer in Peer::ALL {
        let record = mesh
            .record(peer, "restless")
            .await
            .unwrap()
            .expect("a record");
        assert_eq!(
            record["secretHash"],
            last.expose(),
            "{} when its row says success",
            peer.name()
        );
    }
}

#[tokio::test]
async fn a_change_during_a_sync_is_not_lost() {
    const CLIENTS: usize = 20;
    const ROUNDS: usize = 10;
    let mesh = Arc::new(Mesh::start().await);
    let targets = [Peer::Consumer, Peer::LeptosActix];
    let client = |number: usize| format!("moving-{number}");
    for number in 0..CLIENTS {
        mesh.ensure(
            Peer::Authority,
            &client(number),
            "the first secret of the moving",
            &targets,
        )
        .await;
    }
    let done = Arc::new(AtomicBool::new(false));
    let syncs: Vec<_> = (0..3)
        .map(|_| {
            let (mesh, done) = (Arc::clone(&mesh), Arc::clone(&done));
            tokio::spawn(async move {
                let mut syncs = 0;
                while !done.load(Ordering::SeqCst) {
                    mesh.accept(Peer::Authority, "/sync", &json!({})).await;
                    syncs += 1;
                }
                syncs
            })
        })
        .collect();
    // Every change finds a sync that has read, claimed, published or not yet marked the one before it.
    for round in 0..ROUNDS {
        for number in 0..CLIENTS {
            mesh.rotate(
                Peer::Authority,
                &client(number),
                &Changes::secret(round * CLIENTS + number),
            )
            .await;
        }
    }
    for number in 0..CLIENTS / 2 {
        mesh.revoke(Peer::Authority, &client(number), &targets)
            .await;
    }
    done.store(true, Ordering::SeqCst);
    let mut made = 0;
    for sync in syncs {
        made += sync.await.unwrap();
    }
    println!(
        "{made} syncs during {} changes",
        ROUNDS * CLIENTS + CLIENTS / 2
    );
    mesh.until_success(Peer::Authority, CLIENTS * targets.len())
        .await;
    for number in 0..CLIENTS {
        let last = Changes::secret((ROUNDS - 1) * CLIENTS + number);
        let hash = mesh.secrets.hash(Peer::Authority, &last);
        let wanted = (number >= CLIENTS / 2).then_some(&hash);
        let holders = [Peer::Authority, Peer::Consumer, Peer::LeptosActix];
        mesh.until_converged(&client(number), &holders, wanted)
            .await;
    }
}
