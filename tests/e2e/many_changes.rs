//! Single changes, one after the other, each waiting for nothing but its own answer: no row is left behind, no ack is lost.

use std::time::Instant;

use crate::mesh::{Changes, Mesh, Peer};

const CHANGES: usize = 1_000;

#[tokio::test]
async fn an_ack_is_never_lost_in_a_thousand_single_changes() {
    let mesh = Mesh::start().await;
    let targets = [Peer::Consumer, Peer::LeptosAxum];
    let start = Instant::now();
    let refused = Changes::start(&mesh, Peer::Authority, &targets, CHANGES).finish().await;
    let accepted = start.elapsed();
    assert_eq!(refused, 0, "every change is accepted at once");
    mesh.until_success(Peer::Authority, CHANGES * targets.len()).await;
    let converged = start.elapsed();
    mesh.until_holding(Peer::Authority, &[Peer::Authority, Peer::Consumer, Peer::LeptosAxum], CHANGES).await;
    mesh.until_no_plain_secret(Peer::Authority).await;

    let metric = async |name: &str| mesh.metric(Peer::Authority, name).await;
    let events = metric("propagation_events_published_total").await;
    assert_eq!(metric("propagation_changes_accepted_total").await, CHANGES as f64);
    assert!(events >= (CHANGES * targets.len()) as f64, "{events} events");
    assert_eq!(metric("propagation_acks_booked_total").await, events, "acks booked and events published");
    assert_eq!(metric("propagation_acks_unknown_total").await, 0.0, "no ack came that nobody waited for");
    assert_eq!(metric("propagation_messages_dropped_total").await, 0.0);
    for target in targets {
        assert_eq!(mesh.metric(target, "propagation_events_refused_total").await, 0.0);
        assert_eq!(mesh.metric(target, "propagation_messages_dropped_total").await, 0.0);
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
    mesh.ensure(Peer::Authority, "restless", "the first secret of the restless", &targets).await;
    // Each rotation may find the one before it pending, claimed, sent or just acknowledged.
    for number in 0..ROTATIONS {
        mesh.rotate(Peer::Authority, "restless", &Changes::secret(number)).await;
    }
    mesh.until_success(Peer::Authority, targets.len()).await;
    let last = mesh.secrets.hash(Peer::Authority, &Changes::secret(ROTATIONS - 1));
    for peer in Peer::ALL {
        let record = mesh.record(peer, "restless").await.unwrap().expect("a record");
        assert_eq!(record["secretHash"], last.expose(), "{} when its row says success", peer.name());
    }
    mesh.until_no_plain_secret(Peer::Authority).await;
}
