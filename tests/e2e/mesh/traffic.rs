//! What goes on while something breaks: changes, and signed calls of which some are forged and some are repeated.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hmac_auth::sign::SignedHeaders;
use reqwest::Client;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use super::Mesh;
use super::changes::Changes;
use super::environment::Peer;
use super::signed::{self, Caller};

const CLIENT: &str = "caller";
const SECRET: &str = "the secret of the one who calls";

/// Between two rounds of calls.
const PAUSE: Duration = Duration::from_millis(150);

/// A call is answered within this time, whatever is broken.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Changes at one peer for its targets, and calls to all of them.
pub(crate) struct Traffic {
    source: Peer,
    targets: Vec<Peer>,
    changes: Changes,
    calls: Calls,
    /// Clients of the same source and for the same targets, beside those of the changes.
    others: usize,
}

/// What was seen.
pub(crate) struct Seen {
    /// How many attempts to make a change were answered otherwise than by accepting it.
    pub(crate) refused: usize,
    /// How often each status was answered to a good call; 0 stands for no answer.
    pub(crate) answers: BTreeMap<u16, usize>,
}

impl Seen {
    /// Panics when a good call was answered otherwise than by one of these statuses.
    pub(crate) fn only(&self, statuses: &[u16]) {
        assert!(
            self.answers.keys().all(|status| statuses.contains(status)),
            "{:?}",
            self.answers
        );
    }
}

impl Traffic {
    /// Starts both; the changes leave the machine to others, too.
    pub(crate) async fn start(mesh: &Mesh, source: Peer, targets: &[Peer]) -> Self {
        Self::with(mesh, source, targets, Changes::start_trickle).await
    }

    /// Starts both; one change follows the other at once.
    pub(crate) async fn start_fast(mesh: &Mesh, source: Peer, targets: &[Peer]) -> Self {
        Self::with(mesh, source, targets, Changes::start_many).await
    }

    async fn with(
        mesh: &Mesh,
        source: Peer,
        targets: &[Peer],
        changes: impl Fn(&Mesh, Peer, &[Peer]) -> Changes,
    ) -> Self {
        mesh.ensure(source, CLIENT, SECRET, targets).await;
        let good = caller(mesh, source);
        let peers: Vec<Peer> = targets.iter().copied().chain([source]).collect();
        mesh.until_let_in(&peers, &good).await;
        let forged = Caller::new(
            CLIENT,
            mesh.secrets.hash(source, "a secret that nobody was given"),
        );
        let urls: Vec<String> = peers
            .iter()
            .map(|peer| mesh.url(*peer).to_owned())
            .collect();
        let calls = Calls::start(urls, good, forged);
        let changes = changes(mesh, source, targets);
        changes.until_more(10).await;
        Self {
            source,
            targets: targets.to_vec(),
            changes,
            calls,
            others: 1,
        }
    }

    /// The story has made a client at the same source for the same targets.
    pub(crate) fn one_more_client(&mut self) {
        self.others += 1;
    }

    /// Who makes the good calls.
    pub(crate) fn caller(&self, mesh: &Mesh) -> Caller {
        caller(mesh, self.source)
    }

    /// Waits until so many more changes are accepted.
    pub(crate) async fn until_more(&self, count: usize) {
        self.changes.until_more(count).await;
    }

    /// Waits until so many changes are accepted since the start.
    pub(crate) async fn until_accepted(&self, count: usize) {
        self.changes.until_accepted(count).await;
    }

    /// Keeps calls back until what is answered is dropped: so no nonce is sent again that was accepted by a Redis which has forgotten it
    /// since. One that is killed may forget those of its last two seconds.
    pub(crate) async fn hold_calls(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.calls.turn).lock_owned().await
    }

    /// [`Traffic::converges`] as soon as all peers are ready, and insists that no change and no good call was refused: none of them
    /// needs what was broken.
    pub(crate) async fn converges_unnoticed(self, mesh: &Mesh) {
        mesh.until_all_ready().await;
        let seen = self.converges(mesh).await;
        seen.only(&[200]);
        assert_eq!(seen.refused, 0, "attempts to make a change were refused");
    }

    /// Ends both and waits until everything that was accepted is where it should be.
    ///
    /// Panics when a call was accepted that should not be, or when anything is lost or stuck.
    pub(crate) async fn converges(self, mesh: &Mesh) -> Seen {
        self.changes.until_more(10).await;
        let (accepted, refused) = self.changes.end_counted().await;
        let answers = self.calls.end().await;
        let start = Instant::now();
        let clients = Changes::clients(accepted) + self.others;
        mesh.until_success(self.source, clients * self.targets.len())
            .await;
        let holders: Vec<Peer> = self.targets.iter().copied().chain([self.source]).collect();
        mesh.until_holding(self.source, &holders, accepted).await;
        mesh.until_let_in(&holders, &caller(mesh, self.source))
            .await;
        println!(
            "{accepted} changes converged in {:.1?}; calls by status: {answers:?}",
            start.elapsed()
        );
        Seen { refused, answers }
    }
}

fn caller(mesh: &Mesh, source: Peer) -> Caller {
    Caller::new(CLIENT, mesh.secrets.hash(source, SECRET))
}

/// Calls in the background.
struct Calls {
    ended: Arc<AtomicBool>,
    /// Whoever holds it calls; nobody else does.
    turn: Arc<Mutex<()>>,
    task: JoinHandle<BTreeMap<u16, usize>>,
}

impl Calls {
    fn start(urls: Vec<String>, good: Caller, forged: Caller) -> Self {
        // A connection of its own for each call: one that is kept may be closed by the peer just when a call is sent.
        let http = Client::builder()
            .no_proxy()
            .timeout(CALL_LIMIT * 2)
            .pool_max_idle_per_host(0)
            .build();
        let http = http.expect("a client");
        let (ended, turn) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(())));
        let task = tokio::spawn({
            let (ended, turn) = (Arc::clone(&ended), Arc::clone(&turn));
            async move {
                let mut answers = BTreeMap::new();
                while !ended.load(Ordering::SeqCst) {
                    for url in &urls {
                        let _own = turn.lock().await;
                        let status = round(&http, url, &good, &forged).await;
                        *answers.entry(status).or_default() += 1;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                answers
            }
        });
        Self { ended, turn, task }
    }

    async fn end(self) -> BTreeMap<u16, usize> {
        self.ended.store(true, Ordering::SeqCst);
        self.task
            .await
            .expect("no call is accepted that should not be")
    }
}

/// One good call, the same once more, and a forged one; answers the status of the first.
async fn round(http: &Client, url: &str, good: &Caller, forged: &Caller) -> u16 {
    let headers = good.headers("GET", b"");
    let forged = forged.headers("GET", b"");
    let status = call(http, url, &headers).await;
    assert!(
        [0, 200, 401, 500, 503].contains(&status),
        "{url}: {status} to a good call"
    );
    let repeated = call(http, url, &headers).await;
    // A nonce whose acceptance got no answer may be accepted at its second arrival.
    assert!(
        status != 200 || repeated != 200,
        "{url}: a nonce was accepted twice"
    );
    let answer = call(http, url, &forged).await;
    assert!(
        [0, 401, 500, 503].contains(&answer),
        "{url}: {answer} to a forged call"
    );
    status
}

/// The status, 0 when there is no answer.
async fn call(http: &Client, url: &str, headers: &SignedHeaders) -> u16 {
    let start = Instant::now();
    let request = signed::with(http.get(format!("{url}{}", signed::ECHO)), headers);
    let answer = request.send().await;
    assert!(
        start.elapsed() < CALL_LIMIT,
        "{url}: a call took {:.1?}",
        start.elapsed()
    );
    answer.map_or(0, |answer| answer.status().as_u16())
}
