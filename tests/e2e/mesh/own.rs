//! A mesh of processes: servers of this run or of the story's own, a vhost, schemas, Redis servers and ports for each story.

use reqwest::Client;
use services::{MariaDb, RabbitMq};
use tempfile::TempDir;

use super::environment::{Peer, Secrets};
use super::http::{Gateway, Http};
use super::leaks::Leaks;
use super::links::Links;
use super::node::{self, Home, Node, Program, Version};
use super::server::Server;
use super::slot::Slot;
use super::{Mesh, Options, World, rows};

/// What a story has made, and must be removed.
pub(super) struct Own {
    /// The vhost at the broker's management API.
    vhost: String,
    schemas: Vec<String>,
    _logs: TempDir,
    _slot: Slot,
}

/// Brings up the servers; the peers are not started yet.
pub(super) async fn bring_up(options: Options, http: Client) -> Mesh {
    let slot = Slot::take().await;
    let (rabbitmq, mariadb) = tokio::join!(rabbitmq(&options), mariadb(&options));
    let vhost = rabbitmq.vhost("e2e").await.expect("a vhost");
    let logs = tempfile::Builder::new()
        .prefix("hmac-mesh-e2e-")
        .tempdir()
        .expect("a folder for logs");
    let mut nodes = Vec::new();
    for (peer, port) in Peer::ALL.into_iter().zip(node::free_ports()) {
        let redis = services::redis().await.expect("a Redis");
        let database = match peer.is_full() {
            true => Some(mariadb.database(&peer.schema()).await.expect("a schema")),
            false => None,
        };
        let log = logs.path().join(format!("{}.log", peer.name()));
        nodes.push(Node {
            peer,
            url: format!("http://127.0.0.1:{port}"),
            redis_url: redis.url().to_owned(),
            redis: Server::Redis(redis),
            database,
            home: Home::Program(Program {
                port,
                version: Version::Current,
                log,
                process: None,
            }),
            launched: None,
        });
    }
    let (links, mut variables) = links(&options.linked, &nodes, &vhost);
    let asks = options.asks_for_tokens();
    variables.extend(options.variables);
    let api = rabbitmq.api_url().trim_end_matches('/').to_owned();
    let own = Own {
        vhost: format!(
            "{api}/api/vhosts/{}",
            vhost.rsplit('/').next().unwrap_or_default()
        ),
        schemas: nodes
            .iter()
            .filter_map(|node| node.database.clone())
            .collect(),
        _logs: logs,
        _slot: slot,
    };
    Mesh {
        http: Http::new(http, &nodes, asks.then(Gateway::new)),
        rabbitmq: Server::RabbitMq(rabbitmq),
        mariadb: Server::MariaDb(mariadb),
        secrets: Secrets::fresh(),
        vhost,
        api,
        nodes,
        links,
        variables,
        leaks: Leaks::default(),
        world: World::Own(own),
    }
}

type Variables = Vec<(Option<Peer>, String, String)>;

/// The links of these peers, and the variables that lead the peers there.
fn links(linked: &[Peer], nodes: &[Node], vhost: &str) -> (Vec<(Peer, Links)>, Variables) {
    let (mut links, mut variables) = (Vec::new(), Variables::new());
    for peer in linked {
        let (own, leading) = Links::of(&nodes[*peer as usize], vhost);
        links.push((*peer, own));
        let leading = leading
            .into_iter()
            .map(|(name, value)| (Some(*peer), name.to_owned(), value));
        variables.extend(leading);
    }
    (links, variables)
}

async fn rabbitmq(options: &Options) -> RabbitMq {
    let started = match options.private_rabbitmq {
        true => services::private_rabbitmq().await,
        false => services::rabbitmq().await,
    };
    started.expect("RabbitMQ")
}

async fn mariadb(options: &Options) -> MariaDb {
    let started = match options.private_mariadb {
        true => services::private_mariadb().await,
        false => services::mariadb().await,
    };
    started.expect("MariaDB")
}

impl Own {
    /// The run's servers go on; what the story made there does not. A private server takes it along.
    pub(super) async fn clean(&self) {
        // A connection of the story's runtime would be none here.
        if let Ok(http) = Client::builder()
            .no_proxy()
            .timeout(std::time::Duration::from_secs(5))
            .build()
        {
            let _ = http.delete(&self.vhost).send().await;
        }
        for url in &self.schemas {
            rows::drop_schema(url).await;
        }
    }
}
