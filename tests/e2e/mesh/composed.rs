//! A mesh of containers that this story runs beside: every story finds it empty, and gives it back as it was composed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use reqwest::{Client, Method};
use serde_json::Value;
use sqlx::mysql::MySqlConnection;
use sqlx::{Connection, Executor};

use super::engine::{Container, Engine};
use super::environment::{self, Peer, Secrets};
use super::http::{Gateway, Http};
use super::leaks::Leaks;
use super::node::{Home, Node};
use super::server::{self, Server};
use super::slot::Slot;
use super::{Mesh, Options, World};

/// Peers look for pending rows so often in the stories, in milliseconds.
const INTERVALS: [(&str, &str); 2] = [("SYNC_INTERVAL_MS", "500"), ("DRIFT_INTERVAL_MS", "0")];

/// Who may do what at the broker, as it was composed.
const DEFINITIONS: &str = "/mnt/definitions.json";

/// The key of the gateway whose tokens the peers take.
const SIGNING_KEY: &str = "/mnt/gateway-signing-key.json";

/// Who may do everything, at the broker and in every Redis: a story comes as this user.
const OPERATOR: &str = "operator";

/// What is composed.
pub(super) struct Composed {
    containers: BTreeMap<String, Container>,
    /// As the peers were composed, in the order of [`Peer::ALL`].
    environments: [Vec<(String, String)>; 4],
    /// The addresses of this container.
    own_addresses: Vec<String>,
    definitions: Value,
    password: String,
    _slot: Slot,
}

/// A container beside the four peers and their servers: another node of the broker, another replica of a peer.
pub(crate) struct Part(Container);

impl Part {
    /// Starts it as it was composed; nothing happens when it runs.
    pub(crate) async fn start(&self) {
        self.0.start().await;
    }

    /// Ends it as an operator would.
    pub(crate) async fn stop(&self) {
        self.0.stop().await;
    }

    /// Ends it with `SIGKILL`.
    pub(crate) async fn kill(&self) {
        self.0.kill().await;
    }
}

/// Finds the mesh, ends its peers, and empties its servers.
pub(super) async fn attach(options: Options, http: Client) -> Mesh {
    assert!(options.linked.is_empty(), "a composed mesh has no proxies");
    let slot = Slot::one_of(1, Path::new("/tmp")).await;
    let password = services::variable("OPERATOR_PASSWORD")
        .expect("OPERATOR_PASSWORD: the stories come as the operator, so the mesh needs one");
    let definitions = std::fs::read_to_string(DEFINITIONS).expect("the broker's definitions");
    let containers = Engine::here().own_project().await;
    let mut environments: [Vec<(String, String)>; 4] = Default::default();
    for peer in Peer::ALL {
        environments[peer as usize] = containers[peer.name()].original_environment().await;
    }
    let composed = Composed {
        containers,
        environments,
        own_addresses: Engine::here().own_addresses().await,
        definitions: serde_json::from_str(&definitions).expect("JSON"),
        password,
        _slot: slot,
    };
    for container in composed.peers_and_replicas() {
        container.kill().await;
    }
    let nodes: Vec<Node> = Peer::ALL
        .into_iter()
        .map(|peer| composed.node(peer))
        .collect();
    let (rabbitmq, vhost, api) = composed.broker();
    let mariadb = composed.server(
        "mariadb",
        composed.variable(Peer::Authority, "DATABASE_URL"),
    );
    let mesh = Mesh {
        http: Http::new(http, &nodes, composed.gateway()),
        rabbitmq: Server::Composed(rabbitmq),
        mariadb: Server::Composed(mariadb),
        secrets: Secrets::read(&composed.environments),
        vhost,
        api,
        nodes,
        links: Vec::new(),
        variables: options.variables,
        leaks: Leaks::default(),
        world: World::Composed(composed),
    };
    mesh.empty().await;
    mesh
}

impl Composed {
    /// Who signs tokens, where the peers were composed to ask for them.
    fn gateway(&self) -> Option<Gateway> {
        let auth = self.variable(Peer::Authority, "MANAGEMENT_AUTH");
        (auth == "tokens").then(|| Gateway::of(Path::new(SIGNING_KEY)))
    }

    /// The addresses from which this container calls the others: it is on every network.
    pub(super) fn own_addresses(&self) -> Vec<String> {
        self.own_addresses.clone()
    }

    /// The users of the peers at the broker.
    pub(super) fn broker_users(&self) -> impl Iterator<Item = &str> {
        Peer::ALL
            .into_iter()
            .map(|peer| self.variable(peer, "AMQP_USER"))
    }

    /// The passwords of the peers at the broker.
    pub(super) fn broker_passwords(&self) -> impl Iterator<Item = &str> {
        Peer::ALL
            .into_iter()
            .map(|peer| self.variable(peer, "AMQP_PASSWORD"))
    }

    /// Who may do what at the broker, as it was composed.
    pub(super) fn definitions(&self) -> &Value {
        &self.definitions
    }

    /// A peer's Redis, with all rights.
    pub(super) fn redis_url(&self, peer: Peer) -> String {
        let (_, place) = self
            .variable(peer, "REDIS_URL")
            .rsplit_once('@')
            .expect("a URL with a login");
        format!("redis://{OPERATOR}:{}@{place}", self.password)
    }

    /// A variable of a peer, as it was composed.
    pub(super) fn variable(&self, peer: Peer, name: &str) -> &str {
        let value = environment::value(&self.environments[peer as usize], name);
        value.unwrap_or_else(|| panic!("{} has no {name}", peer.name()))
    }

    /// The services that share a network with this one.
    pub(super) async fn neighbours(&self, service: &str) -> BTreeSet<String> {
        let own = self.containers[service].networks().await;
        let mut neighbours = BTreeSet::new();
        for (other, container) in &self.containers {
            if other != service && !container.networks().await.is_disjoint(&own) {
                neighbours.insert(other.clone());
            }
        }
        neighbours
    }

    /// A container by the name of its service.
    pub(super) fn part(&self, service: &str) -> Part {
        Part(
            self.containers
                .get(service)
                .unwrap_or_else(|| panic!("{service} is not composed"))
                .clone(),
        )
    }

    /// The usual environment of a peer's container in a story.
    pub(super) fn environment(&self, peer: Peer) -> Vec<(String, String)> {
        let mut environment = self.environments[peer as usize].clone();
        for (name, value) in &mut environment {
            if let Some((_, usual)) = INTERVALS.iter().find(|(known, _)| known == name) {
                (*usual).clone_into(value);
            }
        }
        environment
    }

    /// Everything runs again as it was composed.
    pub(super) async fn give_back(&self) {
        // A connection of the story's runtime would be none here.
        let containers = Engine::here().own_project().await;
        for peer in Peer::ALL {
            containers[peer.name()]
                .launch(self.environments[peer as usize].clone())
                .await;
        }
        for (service, container) in containers {
            let is_peer = Peer::ALL.iter().any(|peer| peer.name() == service);
            if !is_peer && service != "e2e" {
                container.restore().await;
            }
        }
    }

    fn peers_and_replicas(&self) -> impl Iterator<Item = &Container> {
        let is_peer = |service: &str| {
            Peer::ALL.iter().any(|peer| {
                let rest = service.strip_prefix(peer.name());
                rest.is_some_and(|rest| rest.trim_start_matches(['-', '2', '3']).is_empty())
            })
        };
        self.containers
            .iter()
            .filter(move |(service, _)| is_peer(service))
            .map(|(_, container)| container)
    }

    fn server(&self, service: &str, url: &str) -> server::Composed {
        server::Composed {
            container: self.part(service).0,
            url: url.to_owned(),
        }
    }

    fn node(&self, peer: Peer) -> Node {
        let redis_url = self.variable(peer, "REDIS_URL").to_owned();
        Node {
            peer,
            url: format!("http://{}:{}", peer.name(), self.variable(peer, "PORT")),
            redis: Server::Composed(self.server(&format!("redis-{}", peer.name()), &redis_url)),
            redis_url,
            database: peer
                .is_full()
                .then(|| self.variable(peer, "DATABASE_URL").to_owned()),
            home: Home::Container(self.part(peer.name()).0),
            launched: None,
        }
    }

    /// The broker, the vhost as an AMQP URL, and the management API.
    fn broker(&self) -> (server::Composed, String, String) {
        let user = format!("{OPERATOR}:{}", self.password);
        let vhost = self.variable(Peer::Authority, "AMQP_VHOST");
        // In a cluster every node has the vhost; the first is the one that stories end and start.
        let url = format!("amqp://{user}@rabbitmq:5672");
        let api = format!("http://{user}@rabbitmq:15672");
        (
            self.server("rabbitmq", &format!("{url}/{vhost}")),
            format!("{}/{vhost}", self.at_peers(&url)),
            api,
        )
    }

    /// The broker's URL with the host that the peers are told.
    fn at_peers(&self, url: &str) -> String {
        url.replace(
            "@rabbitmq:",
            &format!("@{}:", self.variable(Peer::Authority, "AMQP_HOST")),
        )
    }
}

impl Mesh {
    /// Restores the servers and empties them.
    async fn empty(&self) {
        let World::Composed(composed) = &self.world else {
            return;
        };
        for (service, container) in &composed.containers {
            if service.starts_with("rabbitmq-") {
                container.restore().await;
            }
        }
        let servers = self
            .nodes
            .iter()
            .map(|node| &node.redis)
            .chain([&self.rabbitmq, &self.mariadb]);
        for server in servers {
            if let Server::Composed(server) = server {
                // A vhost that a story has deleted is made again below.
                server.container.restore().await;
            }
        }
        self.empty_broker(composed).await;
        for node in &self.nodes {
            if let Server::Composed(server) = &node.redis {
                server.restore().await;
            }
            let mut redis = self.redis(node.peer).await.expect("Redis");
            redis::cmd("FLUSHALL")
                .exec_async(&mut redis)
                .await
                .expect("a flush");
            if let Some(url) = &node.database {
                self.empty_schema(url).await;
            }
        }
    }

    /// Another vhost of the same name, and only the users that were composed.
    async fn empty_broker(&self, composed: &Composed) {
        super::until("the broker's management API answers", async || {
            let answer = self
                .http
                .request(Method::GET, format!("{}/api/overview", self.api))
                .send()
                .await;
            answer
                .and_then(reqwest::Response::error_for_status)
                .map_err(|error| error.without_url())
        })
        .await;
        let users = self.broker(Method::GET, "/api/users", &().into()).await;
        let users: Vec<Value> = serde_json::from_str(&users).expect("users");
        let names = |users: &[Value]| -> BTreeSet<String> {
            let names = users.iter().filter_map(|user| user["name"].as_str());
            names.map(str::to_owned).collect()
        };
        let composed_users = composed.definitions["users"].as_array().expect("users");
        for name in names(&users).difference(&names(composed_users)) {
            let path = format!("/api/users/{name}");
            self.broker(Method::DELETE, &path, &().into()).await;
        }
        let vhost = composed.variable(Peer::Authority, "AMQP_VHOST");
        let at = format!("{}/api/vhosts/{vhost}", self.api);
        self.http
            .request(Method::DELETE, at)
            .send()
            .await
            .expect("the management API");
        self.make_vhost().await;
    }

    /// Another schema of the same name.
    async fn empty_schema(&self, url: &str) {
        let (server, schema) = url.rsplit_once('/').expect("a schema");
        let mut connection = super::until("MariaDB answers", async || {
            MySqlConnection::connect(server)
                .await
                .map_err(|error| error.to_string())
        })
        .await;
        for statement in [
            format!("DROP DATABASE IF EXISTS `{schema}`"),
            format!("CREATE DATABASE `{schema}` CHARACTER SET utf8mb4"),
        ] {
            connection
                .execute(sqlx::AssertSqlSafe(statement))
                .await
                .expect("an empty schema");
        }
    }
}
