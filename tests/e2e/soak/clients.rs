//! The changes of a soak: workers that each have clients of their own, so that the order of a client's changes is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::SOURCES;
use crate::mesh::{Http, Mesh, Peer};

/// Workers of one source.
const WORKERS: u64 = 6;

/// Changes of one client, on average.
const CHANGES_OF_ONE: u64 = 12;

/// A change is accepted within this time, whatever breaks meanwhile.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(300);

/// So patient is a worker with one attempt: longer than anything stays broken, so that no attempt outlives its repetition.
const ONE_ATTEMPT: Duration = Duration::from_secs(120);

/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(50);

/// A client, and what its source accepted last.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) source: Peer,
    pub(super) targets: Vec<Peer>,
    /// `None`: revoked.
    pub(super) content: Option<Content>,
}

/// What a client was given last.
#[derive(Clone)]
pub(super) struct Content {
    pub(super) secret: String,
    pub(super) rules: Vec<String>,
    pub(super) expires_at: Option<i64>,
}

impl Content {
    /// Some have rules, and some an expiry, after the time of every soak.
    fn of(number: u64, secret: String) -> Self {
        let rules = (number % 3 == 1)
            .then(|| format!("10.{}.0.0/16", number % 256))
            .into_iter()
            .collect();
        Self {
            secret,
            rules,
            expires_at: (number % 4 == 2).then(|| 4_102_444_800_000 + number as i64),
        }
    }
}

/// Workers at work.
pub(super) struct Stream {
    accepted: Arc<AtomicU64>,
    refused: Arc<AtomicUsize>,
    workers: Vec<JoinHandle<Vec<Client>>>,
}

impl Stream {
    pub(super) fn start(mesh: &Mesh, changes: u64, pause: Duration, random: &mut StdRng) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(ONE_ATTEMPT)
            .build()
            .expect("a client");
        let http = mesh.http.with(http);
        let (accepted, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let count = WORKERS * SOURCES.len() as u64;
        let workers = (0..count).map(|number| {
            let source = SOURCES[(number % SOURCES.len() as u64) as usize];
            let worker = Worker {
                number,
                source,
                url: format!("{}{}", mesh.url(source), source.surface().0),
                http: http.clone(),
                random: StdRng::seed_from_u64(random.random()),
                accepted: Arc::clone(&accepted),
                refused: Arc::clone(&refused),
                pause,
            };
            // The last takes what cannot be shared out.
            let share = changes / count
                + if number + 1 == count {
                    changes % count
                } else {
                    0
                };
            tokio::spawn(worker.run(share))
        });
        Self {
            workers: workers.collect(),
            accepted,
            refused,
        }
    }

    /// Whether all changes are accepted.
    pub(super) fn is_done(&self) -> bool {
        self.workers.iter().all(JoinHandle::is_finished)
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// All clients as they should be, and how many attempts were answered otherwise.
    pub(super) async fn finish(self) -> (Vec<Client>, usize) {
        let mut clients = Vec::new();
        for worker in self.workers {
            clients.extend(worker.await.expect("all changes are accepted"));
        }
        (clients, self.refused.load(Ordering::SeqCst))
    }
}

struct Worker {
    number: u64,
    source: Peer,
    url: String,
    http: Http,
    random: StdRng,
    accepted: Arc<AtomicU64>,
    refused: Arc<AtomicUsize>,
    pause: Duration,
}

impl Worker {
    async fn run(mut self, changes: u64) -> Vec<Client> {
        let mut clients: Vec<Client> = Vec::new();
        for change in 0..changes {
            let fresh = clients.is_empty() || self.random.random_range(0..CHANGES_OF_ONE) == 0;
            if fresh {
                clients.push(self.client(change));
            }
            let at = if fresh {
                clients.len() - 1
            } else {
                self.random.random_range(0..clients.len())
            };
            self.change(&mut clients[at], change).await;
            self.accepted.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(self.pause).await;
        }
        clients
    }

    /// A new client for at least one of the others.
    fn client(&mut self, change: u64) -> Client {
        let others = self.source.others();
        let first = self.random.random_range(0..others.len());
        let mut targets = vec![others[first]];
        let further = others
            .into_iter()
            .enumerate()
            .filter(|(number, _)| *number != first);
        targets.extend(
            further
                .filter(|_| self.random.random())
                .map(|(_, peer)| peer),
        );
        Client {
            name: format!("soak-{}-{change}", self.number),
            source: self.source,
            targets,
            content: None,
        }
    }

    async fn change(&mut self, client: &mut Client, number: u64) {
        let secret = format!("a secret of the soak {}-{number}", self.number);
        let targets: Vec<&str> = client.targets.iter().map(|peer| peer.name()).collect();
        let of = |secret: &str| json!({ "clientId": client.name, "secret": secret });
        let (route, body, after) = match (&client.content, self.random.random_range(0..4)) {
            (Some(_), 0) => (
                "/revoke",
                json!({ "clientId": client.name, "targets": targets }),
                None,
            ),
            (Some(content), 1 | 2) => (
                "/rotate",
                of(&secret),
                Some(Content {
                    secret,
                    ..content.clone()
                }),
            ),
            _ => {
                let mut body = of(&secret);
                let content = Content::of(number, secret);
                body["targets"] = json!(targets);
                body["allowedIps"] = json!(Some(&content.rules).filter(|rules| !rules.is_empty()));
                body["expiresAt"] = json!(content.expires_at);
                ("/ensure", body, Some(content))
            }
        };
        self.until_accepted(route, &body).await;
        client.content = after;
    }

    async fn until_accepted(&self, route: &str, body: &Value) {
        let (url, start) = (format!("{}{route}", self.url), Instant::now());
        loop {
            let answer = self
                .http
                .send(self.http.request(Method::POST, url.clone()).json(body))
                .await;
            let status = answer
                .map(|answer| answer.status().as_u16())
                .unwrap_or_default();
            if status == self.source.surface().1 {
                return;
            }
            assert!(status == 0 || status == 503, "{route}: {status}");
            assert!(
                start.elapsed() < ACCEPTED_WITHIN,
                "{route} was never accepted; the last answer: {status}"
            );
            self.refused.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(AGAIN).await;
        }
    }
}
