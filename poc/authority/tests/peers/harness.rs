//! Peers in this process over real servers, with verbs.

use std::net::SocketAddr;
use std::time::Duration;

use hmac_propagation::propagator::Mode;
use peer_kit::application::ApplicationError;
use peer_kit::config::source::Source;
use peer_kit::config::{Config, Defaults};
use peer_kit::shutdown::Stop;
use reqwest::{Client, Method};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(crate) const SECRET: &str = "a-secret-of-a-client-1";

const DEFAULTS: Defaults = Defaults {
    binary: "authority",
    about: "",
    mode: Mode::Full,
    peer: "authority",
    port: 0,
};

/// What a peer stands on.
pub(crate) struct Addresses<'a> {
    pub(crate) amqp: &'a str,
    pub(crate) redis: &'a str,
    pub(crate) database: &'a str,
}

/// Reads a configuration for the peer `name`, whose inventory knows `other`.
pub(crate) fn config(
    name: &str,
    other: &str,
    port: u16,
    addresses: &Addresses<'_>,
    peers: &str,
) -> Config {
    let source = Source::from_pairs([
        ("PORT", port.to_string()),
        ("AMQP_URL", addresses.amqp.to_owned()),
        ("AMQP_QUEUE", name.to_owned()),
        ("PROPAGATION_SECRET", format!("propagation-of-{name}")),
        (
            "PROPAGATION_TARGETS",
            format!("{other}=propagation-of-{other}"),
        ),
        ("HMAC_SECRET_TOKEN", format!("pepper-of-{name}")),
        ("REDIS_URL", addresses.redis.to_owned()),
        ("DATABASE_URL", addresses.database.to_owned()),
        (
            "SECRETS_KEY",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
        ),
        ("PEER_URLS", peers.to_owned()),
        ("SYNC_INTERVAL_MS", "300".to_owned()),
        ("ROTATION_GRACE_MS", "0".to_owned()),
    ]);
    Config::load(&source, &DEFAULTS).unwrap()
}

/// A running peer.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    stop: Stop,
    running: JoinHandle<Result<(), ApplicationError>>,
    client: Client,
}

impl Peer {
    pub(crate) async fn start(config: Config) -> Self {
        let application = authority::build(config).await.unwrap();
        Self {
            address: application.address(),
            stop: application.stop(),
            running: tokio::spawn(application.run_until_stopped()),
            client: client().timeout(Duration::from_secs(20)).build().unwrap(),
        }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&str>,
    ) -> (u16, Value) {
        let mut request = self
            .client
            .request(method, format!("http://{}{path}", self.address));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, Some(&body.to_string())).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn ready(&self) {
        eventually("ready", || async { self.get("/readyz").await.0 == 200 }).await;
    }

    /// What `/readyz` says is missing.
    pub(crate) async fn missing(&self) -> Vec<String> {
        let (_, answer) = self.get("/readyz").await;
        let missing = answer["missing"].as_array().cloned().unwrap_or_default();
        missing
            .iter()
            .filter_map(|missing| missing["name"].as_str().map(str::to_owned))
            .collect()
    }

    pub(crate) async fn stop(self) {
        self.stop.ask();
        tokio::time::timeout(Duration::from_secs(10), self.running)
            .await
            .expect("the peer stops in time")
            .unwrap()
            .unwrap();
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

/// A port that was free a moment ago, for peers that must know each other before they start.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Elsewhere in the workspace reqwest is built with TLS and leaves the choice of its provider to the program.
fn client() -> reqwest::ClientBuilder {
    peer_kit::tls::install_provider();
    Client::builder().no_proxy()
}
