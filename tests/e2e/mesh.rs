//! Four peers on real servers, and the verbs of the stories.
//!
//! The peers are processes of the story's own ([`own`]), or the containers of a composed mesh that the story runs beside
//! ([`composed`], where `HMAC_MESH_COMPOSED` is `true`). A story does not see which.

mod answer;
mod breakpoint;
mod broker;
mod busy;
mod changes;
mod component;
mod composed;
mod engine;
mod environment;
mod http;
mod leaks;
mod links;
mod node;
mod own;
mod records;
mod rows;
mod server;
mod signed;
mod slot;
mod traffic;
mod wire;

use std::collections::BTreeSet;
use std::time::Duration;

use auth_base::clock::{Clock, SystemClock};
use e2e::wait::DEADLINE;
pub(crate) use e2e::wait::until;
use reqwest::Client;

pub(crate) use answer::Answer;
pub(crate) use breakpoint::{Mark, Moment};
pub(crate) use broker::all_rights;
pub(crate) use busy::{Busy, Calls, SOURCES, SwitchAt};
pub(crate) use changes::Changes;
pub(crate) use component::Component;
use composed::Composed;
pub(crate) use composed::Part;
pub(crate) use environment::{Peer, Secrets};
pub(crate) use http::{Gateway, Http};
use leaks::Leaks;
pub(crate) use links::Dependency;
use links::Links;
use node::{Home, Node};
pub(crate) use node::{Version, program};
use own::Own;
pub(crate) use server::Server;
pub(crate) use signed::Caller;
pub(crate) use traffic::Traffic;
pub(crate) use wire::Wire;

/// The clean-up after a story takes no longer.
const END: Duration = Duration::from_secs(60);

/// What a story wants otherwise than usual.
#[derive(Default)]
pub(crate) struct Options {
    private_rabbitmq: bool,
    private_mariadb: bool,
    linked: Vec<Peer>,
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

    /// Proxies between these peers and their servers. Only a mesh of processes has them.
    pub(crate) fn linked(mut self, peers: &[Peer]) -> Self {
        self.linked.extend(peers);
        self
    }

    /// Sets a variable of every peer.
    pub(crate) fn everyone(mut self, name: &str, value: &str) -> Self {
        self.variables
            .push((None, name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a variable of one peer.
    pub(crate) fn only(mut self, peer: Peer, name: &str, value: &str) -> Self {
        self.variables
            .push((Some(peer), name.to_owned(), value.to_owned()));
        self
    }

    /// Lets sources look for drift as they do where nobody says otherwise. A Redis that is killed while its disk is busy may forget up
    /// to two seconds of what it has confirmed (`appendfsync everysec`): that is found because it was started again, long before the
    /// interval has passed.
    pub(crate) fn drift_as_by_default(self) -> Self {
        self.everyone("DRIFT_INTERVAL_MS", "300000")
    }

    /// Starts the four peers and waits until all are ready.
    pub(crate) async fn start(self) -> Mesh {
        let mut mesh = self.start_without_peers().await;
        mesh.launch_all().await;
        mesh.until_all_ready().await;
        mesh
    }

    /// Brings up the servers only, with nothing in them.
    pub(crate) async fn start_without_peers(self) -> Mesh {
        // Another crate of the build may have given the client TLS without a provider; the first of a process stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(40))
            .build()
            .expect("a client");
        match services::variable("HMAC_MESH_COMPOSED").as_deref() {
            Some("true") => composed::attach(self, http).await,
            _ => own::bring_up(self, http).await,
        }
    }
}

/// Four peers. Nothing of it outlives the story.
pub(crate) struct Mesh {
    /// Calls the peers, as an operator.
    pub(crate) http: Http,
    /// The broker.
    pub(crate) rabbitmq: Server,
    /// The database server.
    pub(crate) mariadb: Server,
    /// What only the peers should know.
    pub(crate) secrets: Secrets,
    /// The vhost, as an AMQP URL.
    vhost: String,
    /// The broker's management API, with its user.
    api: String,
    nodes: Vec<Node>,
    links: Vec<(Peer, Links)>,
    variables: Vec<(Option<Peer>, String, String)>,
    leaks: Leaks,
    world: World,
}

/// Where a mesh lives.
enum World {
    Own(Own),
    Composed(Composed),
}

impl Mesh {
    /// Four peers as usual.
    pub(crate) async fn start() -> Self {
        Options::default().start().await
    }

    /// Where a peer listens.
    pub(crate) fn url(&self, peer: Peer) -> &str {
        &self.node(peer).url
    }

    /// Rules that match the address from which the story calls every peer.
    pub(crate) fn own_addresses(&self) -> Vec<String> {
        match &self.world {
            World::Own(_) => vec!["127.0.0.0/8".to_owned()],
            World::Composed(composed) => composed.own_addresses(),
        }
    }

    /// Which version of its program a peer runs from its next start on. Only a mesh of processes can choose.
    pub(crate) fn run(&mut self, peer: Peer, version: Version) {
        match &mut self.node_mut(peer).home {
            Home::Program(own) => own.version = version,
            Home::Container(_) => panic!("a container runs the version of its image"),
        }
    }

    /// Sets a variable of one peer, for its next start.
    pub(crate) fn set(&mut self, peer: Peer, name: &str, value: &str) {
        self.variables
            .push((Some(peer), name.to_owned(), value.to_owned()));
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
    pub(crate) async fn log(&self, peer: Peer) -> String {
        self.node(peer).log().await
    }

    /// The id of a peer's process; a composed mesh has none that the story sees.
    pub(crate) fn process_id(&self, peer: Peer) -> i32 {
        match &self.node(peer).home {
            Home::Program(own) => own.process.as_ref().expect("the peer runs").id(),
            Home::Container(_) => panic!("a process of a container is not seen from here"),
        }
    }

    /// Another container of a composed mesh, by the name of its service.
    pub(crate) fn part(&self, service: &str) -> Part {
        match &self.world {
            World::Own(_) => panic!("only a composed mesh has a {service}"),
            World::Composed(composed) => composed.part(service),
        }
    }

    /// A variable of a peer of a composed mesh, as it was composed.
    pub(crate) fn composed_variable(&self, peer: Peer, name: &str) -> &str {
        match &self.world {
            World::Own(_) => panic!("only a composed mesh was composed"),
            World::Composed(composed) => composed.variable(peer, name),
        }
    }

    /// The services of a composed mesh that share a network with this one.
    pub(crate) async fn neighbours(&self, service: &str) -> BTreeSet<String> {
        match &self.world {
            World::Own(_) => panic!("only a composed mesh has networks"),
            World::Composed(composed) => composed.neighbours(service).await,
        }
    }

    /// Where a peer's own Redis is.
    pub(crate) fn redis_url(&self, peer: Peer) -> &str {
        &self.node(peer).redis_url
    }

    /// A peer's Redis.
    pub(crate) fn redis_of(&mut self, peer: Peer) -> &mut Server {
        &mut self.node_mut(peer).redis
    }

    /// Starts a peer, and waits until it is ready.
    pub(crate) async fn start_peer(&mut self, peer: Peer) {
        self.launch(peer).await;
        self.until_ready(peer).await;
    }

    /// Starts a peer.
    pub(crate) async fn launch(&mut self, peer: Peer) {
        let environment = self.environment(peer);
        self.node_mut(peer).launch(environment).await;
    }

    /// Ends a peer as an operator would.
    pub(crate) async fn stop_peer(&mut self, peer: Peer) {
        self.node_mut(peer).stop().await;
    }

    /// Ends a peer with `SIGKILL`.
    pub(crate) async fn kill_peer(&mut self, peer: Peer) {
        self.node_mut(peer).kill().await;
    }

    /// Stops a peer in its tracks.
    pub(crate) async fn pause_peer(&self, peer: Peer) {
        self.node(peer).pause().await;
    }

    /// Lets it go on.
    pub(crate) async fn resume_peer(&self, peer: Peer) {
        self.node(peer).resume().await;
    }

    /// Waits until a peer says that it is ready; returns how long it took since it was started.
    pub(crate) async fn until_ready(&self, peer: Peer) -> Duration {
        let node = self.node(peer);
        until(&format!("{} is ready", peer.name()), async || {
            node.is_alive()?;
            let answer = self.get(peer, "/readyz").await?;
            answer.is(200)
        })
        .await;
        node.launched
            .map(|launched| launched.elapsed())
            .unwrap_or_default()
    }

    /// Starts all peers.
    pub(crate) async fn launch_all(&mut self) {
        for peer in Peer::ALL {
            self.launch(peer).await;
        }
    }

    /// Waits until all peers are ready.
    pub(crate) async fn until_all_ready(&self) {
        for peer in Peer::ALL {
            self.until_ready(peer).await;
        }
    }

    /// Waits until a peer says that it is not ready, and that `dependency` is what is missing.
    pub(crate) async fn until_missing(&self, peer: Peer, dependency: &str) {
        until(
            &format!("{} says that {dependency} is missing", peer.name()),
            async || {
                let answer = self.get(peer, "/readyz").await?;
                let missing = answer.body["missing"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                match answer.status == 503 && missing.iter().any(|one| one["name"] == dependency) {
                    true => Ok(()),
                    false => Err(answer.to_string()),
                }
            },
        )
        .await;
    }

    /// Waits until all peers say that `dependency` is missing.
    pub(crate) async fn until_all_missing(&self, dependency: &str) {
        for peer in Peer::ALL {
            self.until_missing(peer, dependency).await;
        }
    }

    /// What a peer would be started with now.
    pub(crate) fn environment(&self, peer: Peer) -> Vec<(String, String)> {
        let mut usual = match &self.world {
            World::Own(_) => {
                environment::of_a_process(&self.nodes, peer, &self.secrets, &self.vhost)
            }
            World::Composed(composed) => composed.environment(peer),
        };
        let asked = self.http.gateway().into_iter().flat_map(Gateway::variables);
        usual.extend(asked.map(|(name, value)| (name.to_owned(), value)));
        environment::with(usual, peer, &self.variables)
    }

    fn node(&self, peer: Peer) -> &Node {
        &self.nodes[peer as usize]
    }

    fn node_mut(&mut self, peer: Peer) -> &mut Node {
        &mut self.nodes[peer as usize]
    }

    /// Ends the peers and removes what the story has made on servers that go on; returns which secrets were shown.
    async fn end(&mut self, failed: bool) -> Vec<String> {
        for node in &mut self.nodes {
            if failed {
                node.print_log().await;
            }
            node.kill().await;
        }
        let leaks = self.leaks().await;
        match &self.world {
            World::Own(own) => own.clean().await,
            World::Composed(composed) => composed.give_back().await,
        }
        leaks
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        // The story's own runtime may be the one that drops this: the clean-up has another.
        let leaks = std::thread::scope(|scope| {
            let ended = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .ok()?;
                let end = async { tokio::time::timeout(END, self.end(failed)).await };
                runtime.block_on(end).ok()
            });
            ended.join().ok().flatten()
        });
        if !failed {
            let leaks = leaks.expect("the clean-up, and the search of the logs, come to their end");
            assert!(
                leaks.is_empty(),
                "no_secret_in_logs is broken:\n{}",
                leaks.join("\n")
            );
        }
    }
}

/// The time in epoch milliseconds.
pub(crate) fn now_ms() -> i64 {
    SystemClock.now_ms()
}
