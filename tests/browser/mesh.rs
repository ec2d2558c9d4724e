//! The mesh under the browser: four programs on real servers, or all in one process as `cargo demo` runs them.

use std::path::PathBuf;

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
    logs: Vec<PathBuf>,
    _processes: Vec<Process>,
    _servers: Option<Box<Servers>>,
    _folder: TempDir,
    _slot: Slot,
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
    for (place, environment) in PLACES.iter().zip(&mut environments) {
        for (name, value) in [
            ("SYNC_INTERVAL_MS", "500"),
            ("RUST_LOG", "info"),
            ("NO_COLOR", "1"),
        ] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        let environment: Vec<_> = environment.clone().into_iter().collect();
        let log = folder.path().join(format!("{}.log", place.name));
        processes.push(
            Process::start(&[program(place.name)], &environment, &log).expect("a peer starts"),
        );
        logs.push(log);
    }
    let urls = ports
        .map(|port| Url::parse(&format!("http://127.0.0.1:{port}")).expect("a URL"))
        .to_vec();
    let running = Running {
        urls,
        logs,
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
    let command = [program("mesh"), "--free-ports".to_owned()];
    let environment = [("NO_COLOR".to_owned(), "1".to_owned())];
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
    Running {
        urls,
        logs: vec![log],
        _processes: vec![process],
        _servers: None,
        _folder: folder,
        _slot: slot,
    }
}

impl Running {
    /// A page of a peer.
    pub(crate) fn url(&self, peer: &str, path: &str) -> Url {
        let index = PLACES
            .iter()
            .position(|place| place.name == peer)
            .expect("a peer of this name");
        self.urls[index].join(path).expect("a path")
    }

    /// Asks a peer as a program does.
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
        for place in PLACES {
            until(
                &format!("{} is ready", place.name),
                async || match http::exchange("GET", self.url(place.name, "/readyz"), None).await {
                    Ok((200, _)) => Ok(()),
                    Ok((_, answer)) => Err(answer),
                    Err(error) => Err(format!("{error}; {}", self.logs())),
                },
            )
            .await;
        }
    }
}

fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("hmac-mesh-peers-")
        .tempdir()
        .expect("a folder for logs")
}

/// A program, built beside this test.
fn program(name: &str) -> String {
    let own = std::env::current_exe().expect("the path of this test");
    let path = own
        .parent()
        .and_then(|deps| deps.parent())
        .expect("the target folder")
        .join(name);
    assert!(
        path.is_file(),
        "{} is missing: build it first, by `cargo build --workspace`",
        path.display()
    );
    path.display().to_string()
}
