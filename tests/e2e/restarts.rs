//! Any one part of the mesh stops and starts during a stream of changes, one after the other: everything converges.

use crate::mesh::{Component, Options, Peer, Traffic};

/// So many changes between one thing and the next.
const SOME: usize = 10;

/// Whether the source accepts no change without it.
fn is_needed_to_accept(part: Component) -> bool {
    matches!(
        part,
        Component::Peer(Peer::Authority) | Component::Redis(Peer::Authority) | Component::MariaDb
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_part_may_stop_and_start_during_a_stream_of_changes() {
    let options = Options::default().private_rabbitmq().private_mariadb();
    let mut mesh = options.everyone("RESEND_AFTER_MS", "2000").start().await;
    let traffic = Traffic::start(&mesh, Peer::Authority, &Peer::Authority.others()).await;
    let (peers, redis) = (
        Peer::ALL.map(Component::Peer),
        Peer::ALL.map(Component::Redis),
    );
    let servers = [Component::RabbitMq, Component::MariaDb];
    for part in peers.into_iter().chain(redis).chain(servers) {
        traffic.until_more(SOME).await;
        part.stop(&mut mesh).await;
        if !is_needed_to_accept(part) {
            traffic.until_more(SOME).await;
        }
        part.start(&mut mesh).await;
        mesh.until_all_ready().await;
        println!("{part:?} was stopped and started");
    }
    traffic.converges(&mesh).await;
}
