//! Any one part of a mesh, to be ended, held up, and started again.

use super::Mesh;
use super::environment::Peer;

/// A part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    /// The broker.
    RabbitMq,
    /// The database server.
    MariaDb,
    /// A peer's Redis.
    Redis(Peer),
    /// A peer.
    Peer(Peer),
}

impl Component {
    /// Ends it with `SIGKILL`.
    pub(crate) async fn kill(self, mesh: &mut Mesh) {
        match self {
            Self::RabbitMq => mesh.rabbitmq.kill().await,
            Self::MariaDb => mesh.mariadb.kill().await,
            Self::Redis(peer) => mesh.redis_of(peer).kill().await,
            Self::Peer(peer) => mesh.kill_peer(peer).await,
        }
    }

    /// Ends it as an operator would.
    pub(crate) async fn stop(self, mesh: &mut Mesh) {
        match self {
            Self::RabbitMq => mesh.rabbitmq.stop().await,
            Self::MariaDb => mesh.mariadb.stop().await,
            Self::Redis(peer) => mesh.redis_of(peer).stop().await,
            Self::Peer(peer) => mesh.stop_peer(peer).await,
        }
    }

    /// Starts it again; a server answers then, a peer need not be ready yet.
    pub(crate) async fn start(self, mesh: &mut Mesh) {
        match self {
            Self::RabbitMq => mesh.rabbitmq.start().await,
            Self::MariaDb => mesh.mariadb.start().await,
            Self::Redis(peer) => mesh.redis_of(peer).start().await,
            Self::Peer(peer) => mesh.launch(peer).await,
        }
    }

    /// Stops it in its tracks.
    pub(crate) async fn pause(self, mesh: &mut Mesh) {
        match self {
            Self::RabbitMq => mesh.rabbitmq.pause().await,
            Self::MariaDb => mesh.mariadb.pause().await,
            Self::Redis(peer) => mesh.redis_of(peer).pause().await,
            Self::Peer(peer) => mesh.pause_peer(peer).await,
        }
    }

    /// Lets it go on.
    pub(crate) async fn resume(self, mesh: &mut Mesh) {
        match self {
            Self::RabbitMq => mesh.rabbitmq.resume().await,
            Self::MariaDb => mesh.mariadb.resume().await,
            Self::Redis(peer) => mesh.redis_of(peer).resume().await,
            Self::Peer(peer) => mesh.resume_peer(peer).await,
        }
    }
}
