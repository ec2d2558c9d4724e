//! What breaks during a soak, one thing after the other, by a plan that its seed decides.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::json;

use super::clients::Stream;
use crate::mesh::{Mesh, Peer};

/// How often something is told of a long run.
const TOLD_EVERY: u64 = 5_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    RabbitMq,
    MariaDb,
    Redis(Peer),
    Peer(Peer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// `SIGKILL`.
    Killed(Part),
    /// Ended as an operator would.
    Stopped(Part),
    /// `SIGSTOP`, and later `SIGCONT`.
    Paused(Part),
    /// The broker closes all connections.
    ConnectionsClosed,
    /// The queue of a peer is emptied.
    Purged(Peer),
    /// The queue of a peer is deleted.
    Deleted(Peer),
}

impl Fault {
    fn draw(random: &mut StdRng) -> Self {
        let peer = Peer::ALL[random.random_range(0..Peer::ALL.len())];
        let part = match random.random_range(0..6) {
            0 => Part::RabbitMq,
            1 => Part::MariaDb,
            2 | 3 => Part::Redis(peer),
            _ => Part::Peer(peer),
        };
        match random.random_range(0..9) {
            0..=2 => Self::Killed(part),
            3 => Self::Stopped(part),
            4..=5 => Self::Paused(part),
            6 => Self::ConnectionsClosed,
            7 => Self::Purged(peer),
            _ => Self::Deleted(peer),
        }
    }

    fn name(self) -> String {
        let part = |part: Part| match part {
            Part::RabbitMq => "RabbitMQ",
            Part::MariaDb => "MariaDB",
            Part::Redis(_) => "Redis",
            Part::Peer(_) => "peer",
        };
        match self {
            Self::Killed(it) => format!("{} killed", part(it)),
            Self::Stopped(it) => format!("{} stopped", part(it)),
            Self::Paused(it) => format!("{} paused", part(it)),
            Self::ConnectionsClosed => "connections closed".to_owned(),
            Self::Purged(_) => "queue purged".to_owned(),
            Self::Deleted(_) => "queue deleted".to_owned(),
        }
    }

    /// Happens, lasts so long, and is over.
    async fn happen(self, mesh: &mut Mesh, lasts: Duration) {
        match self {
            Self::Killed(part) => {
                part.end(mesh, true).await;
                tokio::time::sleep(lasts).await;
                part.start(mesh).await;
            }
            Self::Stopped(part) => {
                part.end(mesh, false).await;
                tokio::time::sleep(lasts).await;
                part.start(mesh).await;
            }
            Self::Paused(part) => {
                part.pause(mesh, true).await;
                tokio::time::sleep(lasts).await;
                part.pause(mesh, false).await;
            }
            Self::ConnectionsClosed => mesh.close_connections(1).await,
            Self::Purged(peer) => queue(mesh, peer, "/contents").await,
            Self::Deleted(peer) => queue(mesh, peer, "").await,
        }
    }
}

impl Part {
    async fn end(self, mesh: &mut Mesh, kill: bool) {
        match (self, kill) {
            (Self::RabbitMq, true) => mesh.rabbitmq.kill().await,
            (Self::RabbitMq, false) => mesh.rabbitmq.stop().await,
            (Self::MariaDb, true) => mesh.mariadb.kill().await,
            (Self::MariaDb, false) => mesh.mariadb.stop().await,
            (Self::Redis(peer), true) => mesh.redis_of(peer).kill().await,
            (Self::Redis(peer), false) => mesh.redis_of(peer).stop().await,
            (Self::Peer(peer), true) => mesh.kill_peer(peer).await,
            (Self::Peer(peer), false) => mesh.stop_peer(peer).await,
        }
    }

    async fn start(self, mesh: &mut Mesh) {
        match self {
            Self::RabbitMq => mesh.rabbitmq.start().await,
            Self::MariaDb => mesh.mariadb.start().await,
            Self::Redis(peer) => mesh.redis_of(peer).start().await,
            Self::Peer(peer) => mesh.launch(peer).await,
        }
    }

    async fn pause(self, mesh: &mut Mesh, pause: bool) {
        match (self, pause) {
            (Self::RabbitMq, true) => mesh.rabbitmq.pause().await,
            (Self::RabbitMq, false) => mesh.rabbitmq.resume().await,
            (Self::MariaDb, true) => mesh.mariadb.pause().await,
            (Self::MariaDb, false) => mesh.mariadb.resume().await,
            (Self::Redis(peer), true) => mesh.redis_of(peer).pause().await,
            (Self::Redis(peer), false) => mesh.redis_of(peer).resume().await,
            (Self::Peer(peer), true) => mesh.pause_peer(peer).await,
            (Self::Peer(peer), false) => mesh.resume_peer(peer).await,
        }
    }
}

/// Purges or deletes a queue, if it is there.
async fn queue(mesh: &Mesh, peer: Peer, what: &str) {
    let path = format!("/api/queues/{}/hmac-{}.queue{what}", mesh.vhost_name(), peer.name());
    let answer = mesh.try_broker(Method::DELETE, &path, &json!({})).await;
    let (status, text) = answer.expect("the management API answers");
    assert!((200..300).contains(&status) || status == 404, "{path}: {status} {text}");
}

/// Lets one fault after the other happen until all changes are accepted; answers how often which did.
pub(super) async fn roll(mesh: &mut Mesh, stream: &Stream, random: &mut StdRng) -> BTreeMap<String, usize> {
    let (mut counts, mut told) = (BTreeMap::new(), 0);
    while !stream.is_done() {
        let fault = Fault::draw(random);
        let lasts = Duration::from_millis(random.random_range(100..5_000));
        let calm = Duration::from_millis(random.random_range(200..3_000));
        fault.happen(mesh, lasts).await;
        *counts.entry(fault.name()).or_default() += 1;
        if stream.accepted() / TOLD_EVERY > told {
            told = stream.accepted() / TOLD_EVERY;
            println!("{} changes accepted; {} faults", stream.accepted(), counts.values().sum::<usize>());
        }
        tokio::time::sleep(calm).await;
    }
    counts
}
