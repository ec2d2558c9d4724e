//! Both dashboard peers, with verbs.

use std::net::SocketAddr;
use std::time::Duration;

use hmac_propagation::queue::PeerName;
use peer_backends::memory::{Memory, MemoryStores};
use peer_backends::sql::sqlite_url;
use peer_kit::application::{Application, ApplicationError};
use peer_kit::config::source::Source;
use peer_kit::config::{Config, Defaults};
use peer_kit::shutdown::Stop;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// The headers in which two answers must not differ.
pub(crate) const SHOWN: [&str; 9] = [
    "allow",
    "content-type",
    "cache-control",
    "content-security-policy",
    "location",
    "referrer-policy",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
];

pub(crate) const SECRET: &str = "a-secret-of-a-client-1";

/// The names of the two unless told.
const NAMES: [&str; 2] = ["leptos-axum", "leptos-actix"];

/// What a configuration says besides: a variable and its value.
pub(crate) type Said = (&'static str, String);

/// The peer on axum and the one on actix-web, in this order.
pub(crate) struct Peers {
    pub(crate) all: [Peer; 2],
    memory: Memory,
    folder: TempDir,
    said: Vec<Said>,
}

/// A running peer.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    stop: Stop,
    running: JoinHandle<Result<(), ApplicationError>>,
    client: Client,
}

impl Peers {
    /// Starts both on empty backends and waits until they are ready.
    pub(crate) async fn start() -> Self {
        Self::named(NAMES).await
    }

    /// The same under other names.
    pub(crate) async fn named(names: [&'static str; 2]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::on(Memory::default(), folder, names, Vec::new()).await
    }

    /// The same, and `said` besides.
    pub(crate) async fn with(said: Vec<Said>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::on(Memory::default(), folder, NAMES, said).await
    }

    /// Stops both and starts them again on what they had.
    pub(crate) async fn restart(self) -> Self {
        let Self {
            all,
            memory,
            folder,
            said,
        } = self;
        let names = [all[0].name, all[1].name];
        stop(all).await;
        Self::on(memory, folder, names, said).await
    }

    /// What a peer holds.
    pub(crate) fn stores(&self, peer: &str) -> MemoryStores {
        self.memory.stores(&PeerName::parse(peer).unwrap())
    }

    /// Stops both.
    pub(crate) async fn stop(self) {
        stop(self.all).await;
    }

    async fn on(
        memory: Memory,
        folder: TempDir,
        names: [&'static str; 2],
        said: Vec<Said>,
    ) -> Self {
        peer_kit::tls::install_provider();
        let addresses = [free(), free()];
        let axum = config(&leptos_axum::DEFAULTS, &folder, names, addresses, &said);
        let backends = memory.backends(&axum);
        let axum = leptos_axum::start(axum, backends).await.unwrap();
        let [on_axum, on_actix] = names;
        let actix = config(
            &leptos_actix::DEFAULTS,
            &folder,
            [on_actix, on_axum],
            [addresses[1], addresses[0]],
            &said,
        );
        let backends = memory.backends(&actix);
        let actix = leptos_actix::start(actix, backends).await.unwrap();
        let all = [Peer::run(on_axum, axum), Peer::run(on_actix, actix)];
        for peer in &all {
            eventually("ready", || async {
                peer.get("/readyz").await["status"] == "ready"
            })
            .await;
        }
        Self {
            all,
            memory,
            folder,
            said,
        }
    }
}

async fn stop(all: [Peer; 2]) {
    for peer in &all {
        peer.stop.ask();
    }
    for peer in all {
        timeout(Duration::from_secs(10), peer.running)
            .await
            .expect("stops in time")
            .unwrap()
            .unwrap();
    }
}

/// An address that was free a moment ago: the peers must know each other before they start.
fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// The configuration of the first of two peers.
fn config(
    defaults: &Defaults,
    folder: &TempDir,
    [own, other]: [&str; 2],
    addresses: [SocketAddr; 2],
    said: &[Said],
) -> Config {
    let database = folder.path().join(format!("{own}.sqlite"));
    let mut urls = [
        format!("{own}=http://{}", addresses[0]),
        format!("{other}=http://{}", addresses[1]),
    ];
    urls.sort();
    let own = [
        ("PORT", addresses[0].port().to_string()),
        ("AMQP_URL", "amqp://nobody:nobody@127.0.0.1:1/v".to_owned()),
        ("AMQP_QUEUE", own.to_owned()),
        ("REDIS_URL", "redis://127.0.0.1:1".to_owned()),
        ("DATABASE_URL", sqlite_url(&database)),
        ("PROPAGATION_SECRET", format!("propagation-of-{own}")),
        (
            "PROPAGATION_TARGETS",
            format!("{other}=propagation-of-{other}"),
        ),
        ("HMAC_SECRET_TOKEN", format!("pepper-of-{own}")),
        (
            "SECRETS_KEY",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
        ),
        ("PEER_URLS", urls.join(",")),
        ("ALLOWED_HOSTS", "peer.example".to_owned()),
        ("KEEP_ALIVE_MS", "6500".to_owned()),
    ];
    let source = Source::from_pairs(own.into_iter().chain(said.iter().cloned()));
    Config::load(&source, defaults).unwrap()
}

fn client() -> Client {
    let builder = Client::builder().no_proxy().redirect(Policy::none());
    builder.timeout(Duration::from_secs(20)).build().unwrap()
}

impl Peer {
    fn run(name: &'static str, application: Application) -> Self {
        Self {
            name,
            address: application.address(),
            stop: application.stop(),
            running: tokio::spawn(application.run_until_stopped()),
            client: client(),
        }
    }

    /// Sends a request; the answer as one text: status, the headers that matter, body.
    pub(crate) async fn send(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> String {
        let mut request = self.client.request(method.clone(), self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.body(body.to_owned()).send().await.unwrap();
        let status = answer.status().as_u16();
        let headers: Vec<String> = SHOWN
            .iter()
            .map(|name| format!("{:?}", answer.headers().get(*name)))
            .collect();
        format!(
            "{status} {} {}",
            headers.join(" "),
            answer.text().await.unwrap()
        )
    }

    pub(crate) async fn answer(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    /// The answer to who wants to read a page.
    pub(crate) async fn page(&self, path: &str) -> Response {
        self.page_with(path, "").await
    }

    /// The same with a token of the gateway, if there is one.
    pub(crate) async fn page_with(&self, path: &str, token: &str) -> Response {
        let mut request = self.client.get(self.url(path));
        request = request.header("accept", "text/html");
        if !token.is_empty() {
            request = request.header("x-internal-auth", token);
        }
        request.send().await.unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.answer(path).await;
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Value {
        let answer = self.client.delete(self.url(path)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(self.url(path)).body(body.to_string());
        let answer = request
            .header("content-type", "application/json")
            .send()
            .await
            .unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}

/// Asks again until it is so; there is no event to wait for on the other side of a wire.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !ask().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
