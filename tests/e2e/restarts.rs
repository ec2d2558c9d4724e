//! Any one part of the mesh stops and starts during a stream of changes, one after the other: everything converges.

use crate::mesh::{Mesh, Options, Peer, Traffic};

/// So many changes between one thing and the next.
const SOME: usize = 10;

/// What can be stopped.
#[derive(Clone, Copy, Debug)]
enum Part {
    Peer(Peer),
    Redis(Peer),
    RabbitMq,
    MariaDb,
}

impl Part {
    fn all() -> impl Iterator<Item = Self> {
        let peers = Peer::ALL.into_iter();
        peers.clone().map(Self::Peer).chain(peers.map(Self::Redis)).chain([Self::RabbitMq, Self::MariaDb])
    }

    /// Whether the source accepts no change without it.
    fn is_needed_to_accept(self) -> bool {
        matches!(self, Self::Peer(Peer::Authority) | Self::Redis(Peer::Authority) | Self::MariaDb)
    }

    async fn stop(self, mesh: &mut Mesh) {
        match self {
            Self::Peer(peer) => mesh.stop_peer(peer).await,
            Self::Redis(peer) => mesh.redis_of(peer).stop().await,
            Self::RabbitMq => mesh.rabbitmq.stop().await,
            Self::MariaDb => mesh.mariadb.stop().await,
        }
    }

    async fn start(self, mesh: &mut Mesh) {
        match self {
            Self::Peer(peer) => mesh.start_peer(peer).await,
            Self::Redis(peer) => mesh.redis_of(peer).start().await,
            Self::RabbitMq => mesh.rabbitmq.start().await,
            Self::MariaDb => mesh.mariadb.start().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_part_may_stop_and_start_during_a_stream_of_changes() {
    let options = Options::default().private_rabbitmq().private_mariadb();
    let mut mesh = options.everyone("RESEND_AFTER_MS", "2000").start().await;
    let traffic = Traffic::start(&mesh, Peer::Authority, &Peer::Authority.others()).await;
    for part in Part::all() {
        traffic.until_more(SOME).await;
        part.stop(&mut mesh).await;
        if !part.is_needed_to_accept() {
            traffic.until_more(SOME).await;
        }
        part.start(&mut mesh).await;
        for peer in Peer::ALL {
            mesh.until_ready(peer).await;
        }
        println!("{part:?} was stopped and started");
    }
    traffic.converges(&mesh).await;
}
