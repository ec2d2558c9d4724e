//! Any one part of the mesh stops and starts during a stream of changes, one after the other: everything converges.

use crate::mesh::{Changes, Mesh, Options, Peer};

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

#[tokio::test]
async fn any_part_may_stop_and_start_during_a_stream_of_changes() {
    let options = Options::default().private_rabbitmq().private_mariadb();
    let mut mesh = options.everyone("RESEND_AFTER_MS", "2000").start().await;
    let targets = Peer::Authority.others();
    let changes = Changes::start_many(&mesh, Peer::Authority, &targets);
    for part in Part::all() {
        changes.until_more(SOME).await;
        part.stop(&mut mesh).await;
        if !part.is_needed_to_accept() {
            changes.until_more(SOME).await;
        }
        part.start(&mut mesh).await;
        for peer in Peer::ALL {
            mesh.until_ready(peer).await;
        }
        println!("{part:?} was stopped and started");
    }
    let accepted = changes.end().await;
    mesh.until_success(Peer::Authority, accepted * targets.len()).await;
    mesh.until_holding(Peer::Authority, &Peer::ALL, accepted).await;
    mesh.until_no_plain_secret(Peer::Authority).await;
    println!("{accepted} changes converged on {} targets", targets.len());
}
