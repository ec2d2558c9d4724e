//! What breaks during a soak, one thing after the other, by a plan that its seed decides.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::json;

use super::clients::Stream;
use crate::mesh::{Component, Mesh, Peer};

/// How often something is told of a long run.
const TOLD_EVERY: u64 = 5_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// `SIGKILL`.
    Killed(Component),
    /// Ended as an operator would.
    Stopped(Component),
    /// `SIGSTOP`, and later `SIGCONT`.
    Paused(Component),
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
            0 => Component::RabbitMq,
            1 => Component::MariaDb,
            2 | 3 => Component::Redis(peer),
            _ => Component::Peer(peer),
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
        let part = |part: Component| match part {
            Component::RabbitMq => "RabbitMQ",
            Component::MariaDb => "MariaDB",
            Component::Redis(_) => "Redis",
            Component::Peer(_) => "peer",
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
                part.kill(mesh).await;
                tokio::time::sleep(lasts).await;
                part.start(mesh).await;
            }
            Self::Stopped(part) => {
                part.stop(mesh).await;
                tokio::time::sleep(lasts).await;
                part.start(mesh).await;
            }
            Self::Paused(part) => {
                part.pause(mesh).await;
                tokio::time::sleep(lasts).await;
                part.resume(mesh).await;
            }
            Self::ConnectionsClosed => mesh.close_connections(1).await,
            Self::Purged(peer) => queue(mesh, peer, "/contents").await,
            Self::Deleted(peer) => queue(mesh, peer, "").await,
        }
    }
}

/// Purges or deletes a queue, if it is there.
async fn queue(mesh: &Mesh, peer: Peer, what: &str) {
    let path = format!("{}{what}", mesh.queue_path(peer));
    let answer = mesh.try_broker(Method::DELETE, &path, &json!({})).await;
    let (status, text) = answer.expect("the management API answers");
    assert!(
        (200..300).contains(&status) || status == 404,
        "{path}: {status} {text}"
    );
}

/// Lets one fault after the other happen until all changes are accepted; answers how often which did.
pub(super) async fn roll(
    mesh: &mut Mesh,
    stream: &Stream,
    random: &mut StdRng,
) -> BTreeMap<String, usize> {
    let (mut counts, mut told) = (BTreeMap::new(), 0);
    while !stream.is_done() {
        let fault = Fault::draw(random);
        let lasts = Duration::from_millis(random.random_range(100..5_000));
        let calm = Duration::from_millis(random.random_range(200..3_000));
        fault.happen(mesh, lasts).await;
        *counts.entry(fault.name()).or_default() += 1;
        if stream.accepted() / TOLD_EVERY > told {
            told = stream.accepted() / TOLD_EVERY;
            println!(
                "{} changes accepted; {} faults",
                stream.accepted(),
                counts.values().sum::<usize>()
            );
        }
        tokio::time::sleep(calm).await;
    }
    counts
}
