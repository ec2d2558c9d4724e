//! Four peers on real servers, and the verbs of the stories.

mod answer;
mod changes;
mod environment;
mod node;
mod records;
mod rows;
mod signed;
mod slot;
mod wait;
mod wire;

use std::time::Duration;

use reqwest::Client;
use services::{MariaDb, RabbitMq};
use tempfile::TempDir;

pub(crate) use answer::Answer;
pub(crate) use changes::Changes;
pub(crate) use environment::{Peer, Secrets};
use node::Node;
pub(crate) use node::program;
pub(crate) use signed::Caller;
use slot::Slot;
pub(crate) use wait::{DEADLINE, now_ms, until};
pub(crate) use wire::Wire;

/// What a story wants otherwise than usual.
#[derive(Default)]
pub(crate) struct Options {
    private_rabbitmq: bool,
    private_mariadb: bool,
    variables: Vec<(Option<Peer>, String, String)>,
}

impl Options {
    /// A RabbitMQ of the story's own, to be killed.
    pub(crate) fn private_rabbitmq(mut self) -> Self {
        self.private_rabbitmq = true;
        self
    }

    /// A MariaDB of the story's own, to be killed.
    pub(crate) fn private_mariadb(mut self) -> Self {
        self.private_mariadb = true;
        self
    }

    /// Sets a variable of every peer.
    pub(crate) fn everyone(mut self, name: &str, value: &str) -> Self {
        self.variables.push((None, name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a variable of one peer.
    pub(crate) fn only(mut self, peer: Peer, name: &str, value: &str) -> Self {
        self.variables.push((Some(peer), name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the four peers and waits until all are ready.
    pub(crate) async fn start(self) -> Mesh {
        let mut mesh = self.start_without_peers().await;
        for peer in Peer::ALL {
            mesh.launch(peer);
        }
        for peer in Peer::ALL {
            mesh.until_ready(peer).await;
        }
        mesh
    }

    /// Brings up the servers only.
    pub(crate) async fn start_without_peers(self) -> Mesh {
        let slot = Slot::take().await;
        let (rabbitmq, mariadb) = tokio::join!(self.rabbitmq(), self.mariadb());
        let vhost = rabbitmq.vhost("e2e").await.expect("a vhost");
        let folder = tempfile::Builder::new().prefix("hmac-mesh-e2e-").tempdir().expect("a folder for logs");
        let ports = node::free_ports();
        let secrets = Secrets::fresh();
        let mut nodes = Vec::new();
        for (peer, port) in Peer::ALL.into_iter().zip(ports) {
            let redis = services::redis().await.expect("a Redis");
            let database = match peer.is_full() {
                true => Some(mariadb.database(&peer.schema()).await.expect("a schema")),
                false => None,
            };
            let log = folder.path().join(format!("{}.log", peer.name()));
            nodes.push(Node { peer, port, redis, database, log, process: None, launched: None });
        }
        // Another crate of the build may have given the client TLS without a provider; the first of a process stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(40)).build().expect("a client");
        let variables = self.variables;
        Mesh { http, rabbitmq, mariadb, vhost, nodes, secrets, variables, _folder: folder, _slot: slot }
    }

    async fn rabbitmq(&self) -> RabbitMq {
        let started = match self.private_rabbitmq {
            true => services::private_rabbitmq().await,
            false => services::rabbitmq().await,
        };
        started.expect("RabbitMQ")
    }

    async fn mariadb(&self) -> MariaDb {
        let started = match self.private_mariadb {
            true => services::private_mariadb().await,
            false => services::mariadb().await,
        };
        started.expect("MariaDB")
    }
}

/// Four peers. Nothing of it outlives the story.
pub(crate) struct Mesh {
    /// A client without a proxy, with a timeout.
    pub(crate) http: Client,
    /// The broker.
    pub(crate) rabbitmq: RabbitMq,
    /// The database server.
    pub(crate) mariadb: MariaDb,
    /// What only the peers should know.
    pub(crate) secrets: Secrets,
    vhost: String,
    nodes: Vec<Node>,
    variables: Vec<(Option<Peer>, String, String)>,
    _folder: TempDir,
    _slot: Slot,
}

impl Mesh {
    /// Four peers as usual.
    pub(crate) async fn start() -> Self {
        Options::default().start().await
    }

    /// Where a peer listens.
    pub(crate) fn url(&self, peer: Peer) -> String {
        format!("http://127.0.0.1:{}", self.node(peer).port)
    }

    /// Sets a variable of one peer, for its next start.
    pub(crate) fn set(&mut self, peer: Peer, name: &str, value: &str) {
        self.variables.push((Some(peer), name.to_owned(), value.to_owned()));
    }

    /// The vhost, as an AMQP URL.
    pub(crate) fn vhost(&self) -> &str {
        &self.vhost
    }

    /// Connects to the broker beside the peers.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(&self.vhost).await
    }

    /// What a peer has logged so far.
    pub(crate) fn log(&self, peer: Peer) -> String {
        let bytes = std::fs::read(&self.node(peer).log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The id of a peer's process.
    pub(crate) fn process_id(&self, peer: Peer) -> i32 {
        self.node(peer).process.as_ref().expect("the peer runs").id()
    }

    /// Starts a peer's process, and waits until it is ready.
    pub(crate) async fn start_peer(&mut self, peer: Peer) {
        self.launch(peer);
        self.until_ready(peer).await;
    }

    /// Starts a peer's process.
    pub(crate) fn launch(&mut self, peer: Peer) {
        let environment = self.environment(peer);
        self.node_mut(peer).launch(&environment);
    }

    /// Ends a peer as an operator would.
    pub(crate) fn stop_peer(&mut self, peer: Peer) {
        let process = self.node_mut(peer).process.take().expect("the peer runs");
        assert!(process.stop(Duration::from_secs(15)), "{} did not stop within 15 s of SIGTERM", peer.name());
    }

    /// Ends a peer with `SIGKILL`.
    pub(crate) fn kill_peer(&mut self, peer: Peer) {
        self.node_mut(peer).process = None;
    }

    /// Stops a peer's Redis with `SIGKILL`.
    pub(crate) fn kill_redis(&mut self, peer: Peer) {
        self.node_mut(peer).redis.kill();
    }

    /// Starts a peer's Redis again on the data it has.
    pub(crate) async fn start_redis(&mut self, peer: Peer) {
        self.node_mut(peer).redis.start().await.expect("Redis starts again");
    }

    /// Waits until a peer says that it is ready; returns how long it took since its process was started.
    pub(crate) async fn until_ready(&self, peer: Peer) -> Duration {
        let node = self.node(peer);
        until(&format!("{} is ready", peer.name()), async || {
            if !node.process.as_ref().is_some_and(services::Process::is_running) {
                return Err("its process has ended".to_owned());
            }
            let answer = self.get(peer, "/readyz").await?;
            answer.is(200)
        })
        .await;
        node.launched.map(|launched| launched.elapsed()).unwrap_or_default()
    }

    /// Waits until a peer says that it is not ready, and that `dependency` is what is missing.
    pub(crate) async fn until_missing(&self, peer: Peer, dependency: &str) {
        until(&format!("{} says that {dependency} is missing", peer.name()), async || {
            let answer = self.get(peer, "/readyz").await?;
            let missing = answer.body["missing"].as_array().cloned().unwrap_or_default();
            match answer.status == 503 && missing.iter().any(|one| one["name"] == dependency) {
                true => Ok(()),
                false => Err(answer.to_string()),
            }
        })
        .await;
    }

    fn environment(&self, peer: Peer) -> Vec<(String, String)> {
        environment::compose(&self.nodes, peer, &self.secrets, &self.vhost, &self.variables)
    }

    fn node(&self, peer: Peer) -> &Node {
        &self.nodes[peer as usize]
    }

    fn node_mut(&mut self, peer: Peer) -> &mut Node {
        &mut self.nodes[peer as usize]
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            node.process = None;
        }
        if std::thread::panicking() {
            self.nodes.iter().for_each(Node::print_log);
        }
        // The run's servers go on; what the story made there does not. A private server takes it along.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                if let Ok(runtime) = runtime {
                    let clean = self.clean();
                    let _ = runtime
                        .block_on(async { tokio::time::timeout(Duration::from_secs(10), clean).await });
                }
            });
        });
    }
}

impl Mesh {
    async fn clean(&self) {
        let vhost = self.vhost.rsplit('/').next().unwrap_or_default();
        let _ = self.rabbitmq.request("DELETE", &format!("/api/vhosts/{vhost}"), "").await;
        for url in self.nodes.iter().filter_map(|node| node.database.as_deref()) {
            rows::drop_schema(url).await;
        }
    }
}
