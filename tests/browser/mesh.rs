//! The mesh under the browser: four programs on real servers, or all in one process as `cargo demo` runs them.
//!
//! Their peers ask for tokens, which a browser has none of: it sees them through the gateway's proxy. With
//! `HMAC_MESH_MANAGEMENT_AUTH=open` nobody is asked, and a browser comes to them directly.

use std::path::PathBuf;

use e2e::gateway::{Keys, Proxy, proxy};
use e2e::programs::program;
use e2e::wait::until;
use serde_json::Value;
use services::mesh::{PLACES, Servers, environments};
use services::{Process, http};
use tempfile::TempDir;
use url::Url;

use crate::slot::Slot;

/// The peers with pages.
pub(crate) const WITH_PAGES: [&str; 2] = ["leptos-axum", "leptos-actix"];

/// A running mesh, and the right to run one. Everything ends when it is dropped, the peers before their servers.
pub(crate) struct Running {
    urls: Vec<Url>,
    /// Where a browser sees the pages, in the order of [`WITH_PAGES`]; at the peers themselves where nobody is asked.
    dashboards: Vec<Url>,
    logs: Vec<PathBuf>,
    _proxy: Option<(Proxy, Keys)>,
    _processes: Vec<Process>,
    _servers: Option<Box<Servers>>,
    _folder: TempDir,
    _slot: Slot,
}

/// Whether the peers ask for tokens: unless the run is told otherwise.
fn asks() -> bool {
    let chosen = services::variable("HMAC_MESH_MANAGEMENT_AUTH");
    chosen.as_deref() != Some("open")
}

/// Starts the peers' own programs on RabbitMQ, MariaDB and Redis, and waits until all are ready.
pub(crate) async fn start() -> Running {
    let slot = Slot::take().await;
    let ports = services::mesh::ports(false).expect("four ports");
    let servers = Servers::start(ports).await.expect("the servers");
    let folder = folder();
    let mut environments =
        environments(&servers.vhost, &servers.addresses).expect("four environments");
    let (mut processes, mut logs) = (Vec::new(), Vec::new());
    let keys = asks().then(Keys::init);
    for (place, environment) in PLACES.iter().zip(&mut environments) {
        if let Some(keys) = &keys {
            let set = keys.set().display().to_string();
            environment.insert("MANAGEMENT_AUTH".to_owned(), "tokens".to_owned());
            environment.insert("GATEWAY_KEYS".to_owned(), set);
        }
        for (name, value) in [
            ("SYNC_INTERVAL_MS", "500"),
            ("RUST_LOG", "info"),
            ("NO_COLOR", "1"),
        ] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        let environment: Vec<_> = environment.clone().into_iter().collect();
        let log = folder.path().join(format!("{}.log", place.name));
        let command = [program(place.name).display().to_string()];
        processes.push(Process::start(&command, &environment, &log).expect("a peer starts"));
        logs.push(log);
    }
    let urls = ports
        .map(|port| Url::parse(&format!("http://127.0.0.1:{port}")).expect("a URL"))
        .to_vec();
    let mut dashboards = Vec::new();
    let mut shown = None;
    if let Some(keys) = keys {
        let log = folder.path().join("gateway.log");
        let upstreams = WITH_PAGES.map(|name| (name, urls[place(name)].as_str()));
        let proxy = proxy(&keys, "operator", &upstreams, upstreams.len(), &log).await;
        dashboards.clone_from(&proxy.dashboards);
        logs.push(log);
        shown = Some((proxy, keys));
    }
    let running = Running {
        urls,
        dashboards,
        logs,
        _proxy: shown,
        _processes: processes,
        _servers: Some(Box::new(servers)),
        _folder: folder,
        _slot: slot,
    };
    running.until_ready().await;
    running
}

/// Starts what `cargo demo` runs: the same four peers in one process, with clients to look at and peers to stop.
pub(crate) async fn demo() -> Running {
    let slot = Slot::take().await;
    let folder = folder();
    let log = folder.path().join("mesh.log");
    let command = [
        program("mesh").display().to_string(),
        "--free-ports".to_owned(),
    ];
    let auth = if asks() { "tokens" } else { "open" };
    let environment = [("NO_COLOR", "1"), ("MANAGEMENT_AUTH", auth)];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let process = Process::start(&command, &environment, &log).expect("the demo starts");
    let printed = until("the demo is up", async || {
        let printed = std::fs::read_to_string(&log).unwrap_or_default();
        if printed.contains("Ctrl-C") {
            Ok(printed)
        } else {
            Err(printed)
        }
    })
    .await;
    let url = |name: &str| {
        let line = printed
            .lines()
            .find(|line| line.split_whitespace().next() == Some(name));
        let address = line
            .and_then(|line| line.split_whitespace().nth(1))
            .expect("the peer's address");
        Url::parse(address).expect("a URL")
    };
    let urls = PLACES.iter().map(|place| url(place.name)).collect();
    let lines = printed.lines().map(|line| line.split_whitespace());
    let shown = lines.filter_map(|mut words| {
        (words.next()? == "dashboard").then(|| Url::parse(words.next()?).ok())?
    });
    let dashboards: Vec<Url> = shown.collect();
    assert_eq!(dashboards.is_empty(), !asks(), "{printed}");
    Running {
        urls,
        dashboards,
        logs: vec![log],
        _proxy: None,
        _processes: vec![process],
        _servers: None,
        _folder: folder,
        _slot: slot,
    }
}

impl Running {
    /// A page of a peer, as a browser sees it.
    pub(crate) fn url(&self, peer: &str, path: &str) -> Url {
        let shown = WITH_PAGES.iter().position(|name| *name == peer);
        let shown = shown.and_then(|index| self.dashboards.get(index));
        let url = shown.unwrap_or_else(|| &self.urls[place(peer)]);
        url.join(path).expect("a path")
    }

    /// Asks a peer as a program does, the same way.
    pub(crate) async fn ask(
        &self,
        method: &'static str,
        peer: &str,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let body = body.map(|body| body.to_string());
        let (status, answer) = http::exchange(method, self.url(peer, path), body)
            .await
            .expect("an answer");
        assert!(
            (200..300).contains(&status),
            "{method} {path} on {peer}: {status} {answer}"
        );
        serde_json::from_str(&answer).expect("JSON")
    }

    /// Whatever the peers have logged so far.
    pub(crate) fn logs(&self) -> String {
        let bytes: Vec<u8> = self
            .logs
            .iter()
            .flat_map(|log| std::fs::read(log).unwrap_or_default())
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    async fn until_ready(&self) {
        let ready = |name: &str| self.urls[place(name)].join("/readyz").expect("a path");
        for place in PLACES {
            until(
                &format!("{} is ready", place.name),
                async || match http::exchange("GET", ready(place.name), None).await {
                    Ok((200, _)) => Ok(()),
                    Ok((_, answer)) => Err(answer),
                    Err(error) => Err(format!("{error}; {}", self.logs())),
                },
            )
            .await;
        }
    }
}

/// Which of [`PLACES`] a peer has.
fn place(peer: &str) -> usize {
    let place = PLACES.iter().position(|place| place.name == peer);
    place.expect("a peer of this name")
}

fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("hmac-mesh-peers-")
        .tempdir()
        .expect("a folder for logs")
}
