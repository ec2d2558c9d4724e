//! Changes made in the background, each tried until it is accepted, as a program would that must get them through.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::answer::{ensure_body, names};
use super::environment::Peer;
use super::http::Http;
use super::{DEADLINE, Mesh, until};

/// A run of changes at one source, one after the other. What each of them is follows from its number, so what is left of a run
/// follows from how many were accepted.
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
const TRICKLE: Duration = Duration::from_millis(40);

/// After the time of every story.
const EXPIRES_AT: i64 = 4_102_444_800_000;

/// What the change of a number does, to the client that the change of another number, or its own, has made.
#[derive(Clone, Copy)]
enum Change {
    Ensure(usize),
    Rotate(usize),
    Revoke(usize),
}

impl Change {
    /// Three of five make a client. The fourth rotates one just made, and the fifth revokes one just made or rotates one that was made half
    /// the run ago.
    fn of(number: usize) -> Self {
        let (block, first) = (number / 5, number / 5 * 5);
        match number % 5 {
            3 => Self::Rotate(first + 1),
            4 if block.is_multiple_of(2) => Self::Revoke(first + 2),
            4 => Self::Rotate(block / 2 * 5),
            _ => Self::Ensure(number),
        }
    }

    /// The route of a management surface, and what is said to it.
    fn request(self, number: usize, targets: &[Peer]) -> (&'static str, Value) {
        let secret = Changes::secret(number);
        match self {
            Self::Ensure(client) => {
                let mut body = ensure_body(&name(client), &secret, targets);
                body["allowedIps"] = json!(Some(rules(client)).filter(|rules| !rules.is_empty()));
                body["expiresAt"] = json!(expires_at(client));
                ("/ensure", body)
            }
            Self::Rotate(client) => (
                "/rotate",
                json!({ "clientId": name(client), "secret": secret }),
            ),
            Self::Revoke(client) => (
                "/revoke",
                json!({ "clientId": name(client), "targets": names(targets) }),
            ),
        }
    }
}

fn name(client: usize) -> String {
    format!("client-{client}")
}

/// Some have rules.
fn rules(client: usize) -> &'static [&'static str] {
    if client % 3 == 1 {
        &["10.0.0.0/8", "192.0.2.1"]
    } else {
        &[]
    }
}

/// Some expire.
fn expires_at(client: usize) -> Option<i64> {
    (client % 4 == 2).then_some(EXPIRES_AT)
}

/// The clients that the first `count` changes of a run have made, each with the number of its secret, or `None` where it was revoked.
fn left_of(count: usize) -> BTreeMap<usize, Option<usize>> {
    let changes = (0..count).map(|number| match Change::of(number) {
        Change::Ensure(client) | Change::Rotate(client) => (client, Some(number)),
        Change::Revoke(client) => (client, None),
    });
    changes.collect()
}

impl Changes {
    /// The secret that a change of such a run gives.
    pub(crate) fn secret(number: usize) -> String {
        format!("{SECRET_OF_ALL}{number:06}")
    }

    /// How many clients `count` changes of a run have made; the revoked ones are known for ever.
    pub(crate) fn clients(count: usize) -> usize {
        left_of(count).len()
    }

    fn start_paced(mesh: &Mesh, peer: Peer, targets: &[Peer], pause: Duration) -> Self {
        let (accepted, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let ended = Arc::new(AtomicBool::new(false));
        mesh.keep_secret(SECRET_OF_ALL);
        for number in 0..10 {
            mesh.keep_secret(&Self::secret(number));
        }
        let (path, good) = peer.surface();
        let (http, surface) = (mesh.http.clone(), format!("{}{path}", mesh.url(peer)));
        let targets = targets.to_vec();
        let task = tokio::spawn({
            let (accepted, refused) = (Arc::clone(&accepted), Arc::clone(&refused));
            let ended = Arc::clone(&ended);
            async move {
                for number in 0..MANY {
                    if ended.load(Ordering::SeqCst) {
                        break;
                    }
                    let (route, body) = Change::of(number).request(number, &targets);
                    let url = format!("{surface}{route}");
                    refused.fetch_add(
                        until_accepted(&http, &url, &body, good).await,
                        Ordering::SeqCst,
                    );
                    accepted.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(pause).await;
                }
            }
        });
        Self {
            accepted,
            refused,
            ended,
            task,
        }
    }

    /// Starts a stream of them that goes on until it is ended.
    pub(crate) fn start_many(mesh: &Mesh, peer: Peer, targets: &[Peer]) -> Self {
        Self::start_paced(mesh, peer, targets, Duration::ZERO)
    }

    /// Starts a stream that leaves the machine to others, too, for stories that last.
    pub(crate) fn start_trickle(mesh: &Mesh, peer: Peer, targets: &[Peer]) -> Self {
        Self::start_paced(mesh, peer, targets, TRICKLE)
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
        (
            self.accepted.load(Ordering::SeqCst),
            self.refused.load(Ordering::SeqCst),
        )
    }

    /// Waits until so many are accepted.
    pub(crate) async fn until_accepted(&self, count: usize) {
        until(&format!("{count} changes are accepted"), async || {
            let accepted = self.accepted.load(Ordering::SeqCst);
            if accepted >= count {
                Ok(())
            } else {
                Err(format!("{accepted}"))
            }
        })
        .await;
    }
}

/// Posts again and again until the answer is `good`; answers how many were not.
async fn until_accepted(http: &Http, url: &str, body: &Value, good: u16) -> usize {
    let start = Instant::now();
    let mut refused = 0;
    loop {
        let answer = http
            .send(http.request(Method::POST, url.to_owned()).json(body))
            .await;
        let status = answer.map_or(0, |answer| answer.status().as_u16());
        if status == good {
            return refused;
        }
        refused += 1;
        assert!(
            start.elapsed() < DEADLINE,
            "{url}: a change is never accepted; the last answer: {status}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Mesh {
    /// Repeats an ensure until it is accepted, beside whatever the story does meanwhile.
    pub(crate) fn ensure_in_the_end(
        &self,
        peer: Peer,
        client: &str,
        secret: &str,
        targets: &[Peer],
    ) -> JoinHandle<usize> {
        let ((path, good), http) = (peer.surface(), self.http.clone());
        let url = format!("{}{path}/ensure", self.url(peer));
        let body = ensure_body(client, secret, targets);
        tokio::spawn(async move { until_accepted(&http, &url, &body, good).await })
    }

    /// Waits until every one of `peers` holds what is left of a run of `count` changes made at `source`: hash, rules and expiry of each
    /// client, and nothing of those revoked.
    pub(crate) async fn until_holding(&self, source: Peer, peers: &[Peer], count: usize) {
        let expected = left_of(count).into_iter().map(|(client, secret)| {
            let content = secret.map(|number| {
                let hash = self.secrets.hash(source, &Changes::secret(number));
                (
                    hash.expose().to_owned(),
                    json!(rules(client)),
                    json!(expires_at(client)),
                )
            });
            (name(client), content)
        });
        let expected: Vec<_> = expected.collect();
        for peer in peers {
            until(
                &format!("{} holds what {count} changes left", peer.name()),
                async || {
                    let held = self.records(*peer).await?;
                    let wrong = expected.iter().find(|(client, content)| {
                        let record = held.get(client).map(|record| {
                            let hash = record["secretHash"].as_str().unwrap_or_default().to_owned();
                            (
                                hash,
                                record["allowedIps"].clone(),
                                record["expiresAt"].clone(),
                            )
                        });
                        record != *content
                    });
                    wrong.map_or(Ok(()), |(client, content)| {
                        let (should, does) = (content.is_some(), held.contains_key(client));
                        Err(format!(
                            "{client} differs (there: {should}, is: {does}); {} are there",
                            held.len()
                        ))
                    })
                },
            )
            .await;
        }
    }
}
