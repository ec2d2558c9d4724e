//! The four peers as processes, on one RabbitMQ, one MariaDB and four Redis.
//!
//! Knows the peers by their environment and their HTTP only. Who wants to see how a mesh is configured reads here
//! how their environment is composed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::error::Error;
use crate::http;
use crate::mariadb::{MariaDb, mariadb};
use crate::ports::free_port;
use crate::process::Process;
use crate::rabbitmq::{RabbitMq, rabbitmq};
use crate::redis::{Redis, redis};

const READY_WITHIN: Duration = Duration::from_secs(90);
const STOP_WITHIN: Duration = Duration::from_secs(12);

/// What a peer can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Owns a schema, accepts changes and propagates them.
    Full,
    /// Applies what others send.
    ReceiveOnly,
}

/// A peer's place in the mesh.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its name, which is its queue's.
    pub name: &'static str,
    /// What it can do.
    pub mode: Mode,
    /// The binary that plays it.
    pub binary: &'static str,
    /// Its port where standard ports are asked for.
    pub port: u16,
}

/// The four peers. Until the dashboards arrive, the authority's binary plays the two Leptos peers.
pub const PLACES: [Place; 4] = [
    Place { name: "authority", mode: Mode::Full, binary: "authority", port: 3001 },
    Place { name: "consumer", mode: Mode::ReceiveOnly, binary: "consumer", port: 3002 },
    Place { name: "leptos-axum", mode: Mode::Full, binary: "authority", port: 3003 },
    Place { name: "leptos-actix", mode: Mode::Full, binary: "authority", port: 3004 },
];

/// How a mesh is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the peers' binaries lie; [`binaries`] finds them beside the running program.
    pub binaries: PathBuf,
    /// Ports 3001 to 3004 instead of free ones.
    pub standard_ports: bool,
    /// Set for every peer, over what is composed.
    pub variables: Vec<(String, String)>,
}

/// One peer: how it is started, and its process while it runs.
pub struct Peer {
    place: Place,
    url: Url,
    command: Vec<String>,
    variables: BTreeMap<String, String>,
    log: PathBuf,
    process: Option<Process>,
}

/// Four peers and their servers. Everything ends when it is dropped.
pub struct Mesh {
    /// The peers, in the order of [`PLACES`]. First, so that they end before their servers.
    pub peers: Vec<Peer>,
    /// The peers' Redis, in the same order.
    pub redis: Vec<Redis>,
    /// The broker.
    pub rabbitmq: RabbitMq,
    /// The SQL server of all full-mode peers.
    pub mariadb: MariaDb,
    folder: TempDir,
}

/// The folder of the build's binaries, seen from a test or another binary of the same build.
///
/// # Errors
/// [`Error::Io`] when this program's own path is not known.
pub fn binaries() -> Result<PathBuf, Error> {
    let program = std::env::current_exe().map_err(Error::io("finding the binaries"))?;
    let folder = program.parent().unwrap_or(Path::new("."));
    Ok(if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder }.to_owned())
}

impl Mesh {
    /// Brings up the servers and the peers, and waits until every peer is ready.
    ///
    /// # Errors
    /// When a server or a peer does not come up, with the end of its log.
    pub async fn start(options: &Options) -> Result<Self, Error> {
        let (rabbitmq, mariadb) = tokio::try_join!(rabbitmq(), mariadb())?;
        let redis = tokio::try_join!(redis(), redis(), redis(), redis())?;
        let redis = vec![redis.0, redis.1, redis.2, redis.3];
        let folder = tempfile::Builder::new()
            .prefix("hmac-mesh-peers-")
            .tempdir()
            .map_err(Error::io("temporary folder"))?;
        let mut shared = Shared { vhost: rabbitmq.vhost("mesh").await?, members: Vec::new() };
        for (place, redis) in PLACES.iter().zip(&redis) {
            let port = if options.standard_ports { standard_port(place)? } else { free_port()? };
            let database = match place.mode {
                Mode::Full => Some(mariadb.database(&place.name.replace('-', "_")).await?),
                Mode::ReceiveOnly => None,
            };
            let redis = format!("{}/0", redis.url());
            shared.members.push(Member { place: *place, port, redis, database, secret: random_hex()? });
        }
        let mut peers = Vec::new();
        for member in &shared.members {
            peers.push(Peer::new(member, shared.variables(member)?, options, folder.path())?);
        }
        let mut mesh = Self { peers, redis, rabbitmq, mariadb, folder };
        for peer in &mut mesh.peers {
            peer.spawn()?;
        }
        for peer in &mesh.peers {
            peer.until_ready().await?;
        }
        Ok(mesh)
    }

    /// The folder with the peers' logs, `<peer>.log`; removed with the mesh.
    pub fn logs(&self) -> &Path {
        self.folder.path()
    }

    /// A peer by its name.
    pub fn peer(&mut self, name: &str) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.place.name == name)
    }

    /// Asks all peers to end, together, and waits for them. Tells who had to be killed.
    pub fn stop(&mut self) -> Vec<&'static str> {
        let stop = |peer: &mut Peer| (!peer.stop()).then_some(peer.place.name);
        std::thread::scope(|scope| {
            let stopping: Vec<_> =
                self.peers.iter_mut().map(|peer| scope.spawn(move || stop(peer))).collect();
            stopping.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
        })
    }
}

impl Peer {
    fn new(
        member: &Member,
        mut variables: BTreeMap<String, String>,
        options: &Options,
        folder: &Path,
    ) -> Result<Self, Error> {
        let program = options.binaries.join(member.place.binary);
        if !program.is_file() {
            return Err(Error::Unexpected(format!(
                "{} is not built: run `cargo build --workspace --bins`",
                program.display()
            )));
        }
        variables.extend(options.variables.iter().cloned());
        let url = format!("http://127.0.0.1:{}", member.port);
        Ok(Self {
            place: member.place,
            url: Url::parse(&url).map_err(|error| Error::Unexpected(format!("{url}: {error}")))?,
            command: vec![program.display().to_string()],
            variables,
            log: folder.join(format!("{}.log", member.place.name)),
            process: None,
        })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.place.name
    }

    /// What it can do.
    pub fn mode(&self) -> Mode {
        self.place.mode
    }

    /// Where it listens, without a path.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its environment; a change counts from the next start.
    pub fn variables(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.variables
    }

    /// What it has written, all starts together.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Tells whether it runs.
    pub fn is_running(&self) -> bool {
        self.process.as_ref().is_some_and(Process::is_running)
    }

    /// Its process id while it runs.
    pub fn process_id(&self) -> Option<i32> {
        self.process.as_ref().map(Process::id)
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the end of its log.
    pub async fn start(&mut self) -> Result<(), Error> {
        self.spawn()?;
        self.until_ready().await
    }

    /// Starts it without waiting.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be started.
    pub fn spawn(&mut self) -> Result<(), Error> {
        let variables: Vec<_> = self.variables.clone().into_iter().collect();
        self.process = Some(Process::start(&self.command, &variables, &self.log)?);
        Ok(())
    }

    /// Waits until `/readyz` says 200.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the end of its log, at once when it has ended.
    pub async fn until_ready(&self) -> Result<(), Error> {
        let deadline = Instant::now() + READY_WITHIN;
        let url = self.at("/readyz");
        loop {
            if matches!(http::exchange("GET", url.clone(), None).await, Ok((200, _))) {
                return Ok(());
            }
            if Instant::now() >= deadline || !self.is_running() {
                let log = self.log();
                let from = log.len().saturating_sub(1500);
                let log = log.get(from..).unwrap_or(&log).to_owned();
                return Err(Error::NotReady {
                    server: self.place.name,
                    seconds: READY_WITHIN.as_secs(),
                    log,
                });
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends a JSON request; returns status and body.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be reached.
    pub async fn request(
        &self,
        method: &'static str,
        path: &str,
        body: Option<String>,
    ) -> Result<(u16, String), Error> {
        http::exchange(method, self.at(path), body).await
    }

    /// Ends it in good order (SIGTERM); kills it when it has not ended after 12 s, and says so with `false`.
    pub fn stop(&mut self) -> bool {
        self.process.take().is_none_or(|process| process.stop(STOP_WITHIN))
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Freezes it (SIGSTOP).
    pub fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }

    fn at(&self, path: &str) -> Url {
        self.url.join(path).unwrap_or_else(|_| self.url.clone())
    }
}

/// What the peers know of each other.
struct Shared {
    vhost: String,
    members: Vec<Member>,
}

struct Member {
    place: Place,
    port: u16,
    redis: String,
    database: Option<String>,
    /// Its propagation secret: who knows it may write credentials there.
    secret: String,
}

impl Shared {
    /// Composes one peer's environment.
    fn variables(&self, own: &Member) -> Result<BTreeMap<String, String>, Error> {
        let mut variables = BTreeMap::new();
        let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
        set("PORT", &own.port.to_string());
        set("BIND", "127.0.0.1");
        set("AMQP_URL", &self.vhost);
        set("AMQP_QUEUE", own.place.name);
        set("PROPAGATION_SECRET", &own.secret);
        set("HMAC_SECRET_TOKEN", &random_hex()?);
        set("REDIS_URL", &own.redis);
        set("RUST_LOG", "info");
        let others = || self.members.iter().filter(|other| other.place.name != own.place.name);
        let full = || others().filter(|other| other.place.mode == Mode::Full);
        match &own.database {
            None => {
                set("PROPAGATION_SOURCES", &list(full(), |source| source.secret.clone()));
            }
            Some(database) => {
                set("DATABASE_URL", database);
                set("SECRETS_KEY", &STANDARD.encode(random::<32>()?));
                set("PROPAGATION_TARGETS", &list(others(), |target| target.secret.clone()));
                set("PEER_REDIS_URLS", &list(self.members.iter(), |peer| peer.redis.clone()));
                set(
                    "PEER_URLS",
                    &list(self.members.iter(), |peer| format!("http://127.0.0.1:{}", peer.port)),
                );
            }
        }
        Ok(variables)
    }
}

/// The place's own port, unless somebody sits on it.
fn standard_port(place: &Place) -> Result<u16, Error> {
    match TcpListener::bind(("127.0.0.1", place.port)) {
        Ok(_) => Ok(place.port),
        Err(_) => Err(Error::Unexpected(format!(
            "port {} of {} is taken: end what listens there, or ask for free ports",
            place.port, place.name
        ))),
    }
}

/// Writes `name=value,name=value`.
fn list<'a>(members: impl Iterator<Item = &'a Member>, value: impl Fn(&Member) -> String) -> String {
    let pairs: Vec<_> = members.map(|member| format!("{}={}", member.place.name, value(member))).collect();
    pairs.join(",")
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let read = fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.map_err(Error::io("randomness"))?;
    Ok(bytes)
}

fn random_hex() -> Result<String, Error> {
    Ok(random::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_knows_the_others_and_has_a_pepper_of_its_own() {
        let member = |place: Place| Member {
            place,
            port: place.port,
            redis: format!("redis://127.0.0.1:1/{}", place.port),
            database: (place.mode == Mode::Full).then(|| format!("mysql://root@127.0.0.1/{}", place.name)),
            secret: format!("secret-of-{}", place.name),
        };
        let shared = Shared { vhost: "amqp://x/v".to_owned(), members: PLACES.map(member).into() };
        let all: Vec<_> = shared.members.iter().map(|own| shared.variables(own).unwrap()).collect();
        let peppers: std::collections::BTreeSet<_> =
            all.iter().map(|one| &one["HMAC_SECRET_TOKEN"]).collect();
        assert_eq!(peppers.len(), 4);
        assert_eq!(
            all[0]["PROPAGATION_TARGETS"],
            "consumer=secret-of-consumer,leptos-axum=secret-of-leptos-axum,leptos-actix=secret-of-leptos-actix"
        );
        assert!(!all[1].contains_key("DATABASE_URL"));
        assert!(all[1]["PROPAGATION_SOURCES"].starts_with("authority=secret-of-authority,leptos-axum="));
        assert!(all[3]["PEER_URLS"].ends_with("leptos-actix=http://127.0.0.1:3004"));
    }
}
