//! Clients that call everybody all the time, while their secrets are rotated and they switch at some moment of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hmac_auth::credential::ClientId;
use hmac_auth::secret_hash::SecretHash;
use hmac_auth::sign::Signer;
use hmac_auth_client::error::Blame;
use hmac_auth_client::{RetryPolicy, SignedClient};
use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::{Client, Method};
use tokio::task::JoinHandle;

use super::Mesh;
use super::environment::Peer;

/// Full-mode peers: each of them knows every busy client, so each can rotate it.
pub(crate) const SOURCES: [Peer; 3] = [Peer::Authority, Peer::LeptosAxum, Peer::LeptosActix];

/// A peer that is away is given up after this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client with the secret that it has now.
#[derive(Clone)]
pub(crate) struct Busy {
    /// Which of the clients it is, from 0.
    pub(crate) number: usize,
    /// What it calls with; clones switch together.
    pub(crate) signed: SignedClient,
    name: String,
    hash: SecretHash,
    rotations: usize,
}

/// When a client switches to its new secret.
pub(crate) enum SwitchAt {
    /// Before anybody was asked to rotate.
    Before,
    /// So long after the source was asked.
    During(Duration),
    /// So long after it has answered.
    After(Duration),
    /// When the rotation has reached every peer.
    Everywhere,
}

impl SwitchAt {
    /// Any of them.
    pub(crate) fn any(chance: &mut StdRng) -> Self {
        match chance.random_range(0..4) {
            0 => Self::Before,
            1 => Self::During(Duration::from_micros(chance.random_range(0..50_000))),
            2 => Self::After(Duration::from_micros(chance.random_range(0..200_000))),
            _ => Self::Everywhere,
        }
    }
}

impl Busy {
    /// So many of them, known to every source, and let in by every peer.
    pub(crate) async fn ensured(mesh: &Mesh, count: usize) -> Vec<Self> {
        let mut clients = Vec::with_capacity(count);
        for number in 0..count {
            clients.push(Self::new(mesh, number));
        }
        // The last source is the one whose hash counts.
        for source in SOURCES {
            for client in &clients {
                mesh.ensure(source, &client.name, &client.secret(), &source.others())
                    .await;
            }
            mesh.until_success(source, count * 3).await;
        }
        for client in &clients {
            client.until_everywhere(mesh, &Peer::ALL).await;
        }
        clients
    }

    fn new(mesh: &Mesh, number: usize) -> Self {
        let name = format!("busy-{number}");
        let secret = secret(&name, 0);
        let hash = mesh.secrets.hash(SOURCES[2], &secret);
        let builder = Client::builder().no_proxy();
        let signed = SignedClient::build(builder, signer(&name, &hash)).expect("a client");
        // No retry hides what a peer has answered.
        let signed = signed.retry(RetryPolicy::never()).attempt_timeout(PATIENCE);
        Self {
            number,
            signed,
            name,
            hash,
            rotations: 0,
        }
    }

    fn secret(&self) -> String {
        secret(&self.name, self.rotations)
    }

    /// Rotates it at `source`; it switches at that moment. Returns when every peer has the new secret.
    pub(crate) async fn rotate(&mut self, mesh: &Mesh, source: Peer, moment: &SwitchAt) {
        self.rotate_for(mesh, source, moment, &Peer::ALL).await;
    }

    /// The same while a peer is away, which hears of it later.
    pub(crate) async fn rotate_while_away(
        &mut self,
        mesh: &Mesh,
        source: Peer,
        moment: &SwitchAt,
        away: Peer,
    ) {
        self.rotate_for(mesh, source, moment, &away.others()).await;
    }

    async fn rotate_for(&mut self, mesh: &Mesh, source: Peer, moment: &SwitchAt, peers: &[Peer]) {
        self.rotations += 1;
        let secret = self.secret();
        self.hash = mesh.secrets.hash(source, &secret);
        let switch = || self.signed.switch_to(signer(&self.name, &self.hash));
        if let SwitchAt::Before = moment {
            switch();
        }
        let rotating = mesh.rotate(source, &self.name, &secret);
        match moment {
            SwitchAt::During(pause) => {
                tokio::join!(rotating, async {
                    tokio::time::sleep(*pause).await;
                    switch();
                });
            }
            _ => {
                rotating.await;
            }
        }
        if let SwitchAt::After(pause) = moment {
            tokio::time::sleep(*pause).await;
            switch();
        }
        self.until_everywhere(mesh, peers).await;
        if let SwitchAt::Everywhere = moment {
            switch();
        }
    }

    /// Waits until `peers` hold its secret.
    pub(crate) async fn until_everywhere(&self, mesh: &Mesh, peers: &[Peer]) {
        mesh.until_converged(&self.name, peers, Some(&self.hash))
            .await;
    }
}

fn secret(name: &str, rotations: usize) -> String {
    format!("secret-{rotations:03}-of-{name}")
}

fn signer(name: &str, hash: &SecretHash) -> Signer {
    Signer::new(ClientId::parse(name).expect("a client id"), hash.clone())
}

/// Calls of one client to all four peers, one after the other, until they are ended. A refusal fails the story.
pub(crate) struct Calls {
    ended: Arc<AtomicBool>,
    task: JoinHandle<(usize, usize)>,
}

impl Calls {
    /// Starts them.
    pub(crate) fn start(mesh: &Mesh, client: &Busy) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let urls = Peer::ALL.map(|peer| format!("{}/api/echo", mesh.url(peer)));
        let (client, done) = (client.clone(), Arc::clone(&ended));
        let task = tokio::spawn(async move {
            let (mut good, mut unanswered) = (0, 0);
            while !done.load(Ordering::SeqCst) {
                for url in &urls {
                    match call(&client, url, good % 2 == 0).await {
                        true => good += 1,
                        false => unanswered += 1,
                    }
                }
            }
            (good, unanswered)
        });
        Self { ended, task }
    }

    /// Ends them; returns how many were let in, and how many got no answer.
    pub(crate) async fn end(self) -> (usize, usize) {
        self.ended.store(true, Ordering::SeqCst);
        self.task.await.expect("no call is refused")
    }
}

/// Makes one call; `false` when there was no answer.
async fn call(client: &Busy, url: &str, with_body: bool) -> bool {
    let request = match with_body {
        true => client.signed.post(url).expect("a URL").json(&client.name),
        false => client.signed.request(Method::GET, url).expect("a URL"),
    };
    match request.send().await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap_or_default();
            assert_eq!(status, 200, "{url} has refused {}: {text}", client.name);
            true
        }
        Err(error) => {
            assert_eq!(error.blame(), Blame::Network, "{url}: {error}");
            tokio::task::yield_now().await;
            false
        }
    }
}
