//! Changes made in the background, each tried until it is accepted, as a program would that must get them through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::answer::ensure_body;
use super::environment::Peer;
use super::{DEADLINE, Mesh, until};

/// A run of ensures `client-0`, `client-1`, ..., one after the other.
pub(crate) struct Changes {
    accepted: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// A stream that is not ended before makes no more.
const MANY: usize = 100_000;

/// What the secrets of all clients of such a run begin with.
const SECRET_OF_ALL: &str = "secret-of-client-";

/// Between two changes of a trickle.
const TRICKLE: Duration = Duration::from_millis(25);

impl Changes {
    /// The secret of a client of such a run.
    pub(crate) fn secret(number: usize) -> String {
        format!("{SECRET_OF_ALL}{number:06}")
    }

    /// Starts `count` of them at a peer for `targets`.
    pub(crate) fn start(mesh: &Mesh, peer: Peer, targets: &[Peer], count: usize) -> Self {
        Self::start_paced(mesh, peer, targets, count, Duration::ZERO)
    }

    /// The same with a pause after each.
    fn start_paced(mesh: &Mesh, peer: Peer, targets: &[Peer], count: usize, pause: Duration) -> Self {
        let (accepted, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let ended = Arc::new(AtomicBool::new(false));
        mesh.keep_secret(SECRET_OF_ALL);
        for number in 0..count.min(10) {
            mesh.keep_secret(&Self::secret(number));
        }
        let (path, good) = peer.surface();
        let (http, url) = (mesh.http.clone(), format!("{}{path}/ensure", mesh.url(peer)));
        let targets = targets.to_vec();
        let task = tokio::spawn({
            let (accepted, refused) = (Arc::clone(&accepted), Arc::clone(&refused));
            let ended = Arc::clone(&ended);
            async move {
                for number in 0..count {
                    if ended.load(Ordering::SeqCst) {
                        break;
                    }
                    let body = ensure_body(&format!("client-{number}"), &Self::secret(number), &targets);
                    let start = Instant::now();
                    loop {
                        let answer = http.post(&url).json(&body).send().await;
                        if answer.is_ok_and(|answer| answer.status().as_u16() == good) {
                            break;
                        }
                        refused.fetch_add(1, Ordering::SeqCst);
                        assert!(start.elapsed() < DEADLINE, "change {number} was never accepted");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    accepted.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(pause).await;
                }
            }
        });
        Self { accepted, refused, ended, task }
    }

    /// Starts a stream of them that goes on until it is ended.
    pub(crate) fn start_many(mesh: &Mesh, peer: Peer, targets: &[Peer]) -> Self {
        Self::start(mesh, peer, targets, MANY)
    }

    /// Starts a stream that leaves the machine to others, too, for stories that last.
    pub(crate) fn start_trickle(mesh: &Mesh, peer: Peer, targets: &[Peer]) -> Self {
        Self::start_paced(mesh, peer, targets, MANY, TRICKLE)
    }

    /// Waits until so many more are accepted.
    pub(crate) async fn until_more(&self, count: usize) {
        let before = self.accepted.load(Ordering::SeqCst);
        self.until_accepted(before + count).await;
    }

    /// Ends a stream after the change it is at; returns how many were accepted.
    pub(crate) async fn end(self) -> usize {
        self.end_counted().await.0
    }

    /// The same, and how many attempts were answered otherwise.
    pub(super) async fn end_counted(self) -> (usize, usize) {
        self.ended.store(true, Ordering::SeqCst);
        self.task.await.expect("all changes are accepted");
        (self.accepted.load(Ordering::SeqCst), self.refused.load(Ordering::SeqCst))
    }

    /// Waits until so many are accepted.
    pub(crate) async fn until_accepted(&self, count: usize) {
        until(&format!("{count} changes are accepted"), async || {
            let accepted = self.accepted.load(Ordering::SeqCst);
            if accepted >= count { Ok(()) } else { Err(format!("{accepted}")) }
        })
        .await;
    }

    /// Waits for the end of the run; returns how many attempts were answered otherwise.
    pub(crate) async fn finish(self) -> usize {
        self.task.await.expect("all changes are accepted");
        self.refused.load(Ordering::SeqCst)
    }
}

impl Mesh {
    /// Waits until every one of `peers` holds the hashes of a run of `count` changes made at `source`.
    pub(crate) async fn until_holding(&self, source: Peer, peers: &[Peer], count: usize) {
        for peer in peers {
            until(&format!("{} holds all {count} clients", peer.name()), async || {
                let held = self.hashes(*peer).await?;
                let wrong = (0..count).find(|number| {
                    let hash = self.secrets.hash(source, &Changes::secret(*number));
                    held.get(&format!("client-{number}")).map(String::as_str) != Some(hash.expose())
                });
                wrong.map_or(Ok(()), |number| {
                    Err(format!("client-{number} is not there or another; {} are", held.len()))
                })
            })
            .await;
        }
    }
}
