//! The mesh under the browser: four programs on real servers, or all in one process as `cargo demo` runs them.
//!
//! Their peers ask for tokens, which a browser has none of: whoever uses it signs in at the gateway. With
//! `HMAC_MESH_MANAGEMENT_AUTH=open` nobody is asked, and a browser comes to them directly.

use std::path::PathBuf;

use e2e::front_door::{ADMIN, FrontDoor, PASSWORD, cookies, front_door};
use e2e::gateway::Keys;
use e2e::programs::program;
use e2e::wait::until;
use serde_json::Value;
use services::mesh::{PLACES, Servers, environments};
use services::{Process, http};
use tempfile::TempDir;
use url::Url;

use crate::session::Session;
use crate::slot::Slot;

/// The peers with pages.
pub(crate) const WITH_PAGES: [&str; 2] = ["leptos-axum", "leptos-actix"];

/// A running mesh, and the right to run one. Everything ends when it is dropped, the peers before their servers.
pub(crate) struct Running {
    urls: Vec<Url>,
    /// Where a browser sees the pages, in the order of [`WITH_PAGES`]; at the peers themselves where nobody is asked.
    dashboards: Vec<Url>,
    logs: Vec<PathBuf>,
    /// Who signs in, where people do.
    person: Option<Person>,
    door: Option<(FrontDoor, Keys)>,
    _processes: Vec<Process>,
    _servers: Option<Box<Servers>>,
    _folder: TempDir,
    _slot: Slot,
}

/// Somebody who signs in.
struct Person {
    email: String,
    password: String,
    /// The value of `Cookie` of a session that programs use.
    cookies: String,
}

/// Whether the peers ask for tokens: unless the run is told otherwise.
fn asks() -> bool {
    let chosen = services::variable("HMAC_MESH_MANAGEMENT_AUTH");
    chosen.as_deref() != Some("open")
}

/// Starts the peers' own programs on RabbitMQ, MariaDB and Redis, and waits until all are ready.
pub(crate) async fn start() -> Running {
    start_with(900).await
}

/// The same, with access tokens that count for so many seconds.
pub(crate) async fn start_with(access_seconds: u32) -> Running {
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
    let (mut person, mut door) = (None, None);
    if let Some(keys) = keys {
        let upstreams = WITH_PAGES.map(|name| (name, urls[place(name)].as_str()));
        let shown = upstreams.len();
        let opening = front_door(&keys, &upstreams, shown, access_seconds, folder.path());
        let opened = opening.await;
        dashboards.clone_from(&opened.dashboards);
        logs.extend(opened.logs.iter().cloned());
        person = Some(Person::new(&dashboards[0], ADMIN, PASSWORD).await);
        door = Some((opened, keys));
    }
    let running = Running {
        urls,
        dashboards,
        logs,
        person,
        door,
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
    let person = match dashboards.first() {
        None => None,
        Some(dashboard) => {
            let (_, said) = printed.split_once("sign in as ").expect("who signs in");
            let mut words = said.split_whitespace();
            let email = words.next().expect("an e-mail address");
            let password = words.nth(3).expect("a password");
            Some(Person::new(dashboard, email, password).await)
        }
    };
    Running {
        urls,
        dashboards,
        logs: vec![log],
        person,
        door: None,
        _processes: vec![process],
        _servers: None,
        _folder: folder,
        _slot: slot,
    }
}

impl Person {
    async fn new(gateway: &Url, email: &str, password: &str) -> Self {
        let mut gateway = gateway.clone();
        gateway.set_host(Some("127.0.0.1")).expect("an address");
        Self {
            cookies: cookies(&gateway, email, password).await,
            email: email.to_owned(),
            password: password.to_owned(),
        }
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
        let mut url = self.url(peer, path);
        url.set_host(Some("127.0.0.1")).expect("an address");
        let header = self.person.as_ref();
        let header = header.map(|person| ("cookie", person.cookies.clone()));
        let (status, answer) = http::exchange_with(method, url, header, body)
            .await
            .expect("an answer");
        assert!(
            (200..300).contains(&status),
            "{method} {path} on {peer}: {status} {answer}"
        );
        serde_json::from_str(&answer).expect("JSON")
    }

    /// Signs in at a dashboard, where people do.
    pub(crate) async fn sign_in(&self, session: &Session, peer: &str) {
        let Some(person) = &self.person else { return };
        session
            .goto(&self.url(peer, "/login?next=%2Faccount%2Fsessions"))
            .await;
        session.fill("#email", &person.email).await;
        session.fill("#password", &person.password).await;
        session.click("form[action='/login'] button").await;
        until("somebody is signed in", async || {
            let url = session.url().await;
            match url.path() {
                "/account/sessions" => Ok(()),
                _ => Err(url),
            }
        })
        .await;
    }

    /// The programs of the front door, where they are.
    pub(crate) fn door(&self) -> Option<&FrontDoor> {
        self.door.as_ref().map(|(door, _)| door)
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
