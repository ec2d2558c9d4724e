//! The links between a peer and its servers, where a story has them run through proxies: they can be slow, silent, cut or forgotten.

use std::sync::Arc;

use services::proxy::{Mode, Proxy};

use super::Mesh;
use super::breakpoint::Breakpoint;
use super::environment::Peer;
use super::node::Node;

/// What a peer needs, as it calls it in `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependency {
    /// RabbitMQ.
    Broker,
    /// Its own Redis.
    Redis,
    /// MariaDB.
    Sql,
}

impl Dependency {
    /// All three.
    pub(crate) const ALL: [Self; 3] = [Self::Broker, Self::Redis, Self::Sql];

    /// What `/readyz` calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Redis => "redis",
            Self::Sql => "sql",
        }
    }
}

/// The links of one peer.
pub(super) struct Links {
    proxies: Vec<(Dependency, Proxy)>,
    breakpoint: Arc<Breakpoint>,
}

impl Links {
    /// Puts proxies between a peer and its servers; answers the variables that lead it there.
    pub(super) fn of(node: &Node, vhost: &str) -> (Self, Vec<(&'static str, String)>) {
        let breakpoint = Arc::new(Breakpoint::default());
        let servers = [
            Some((Dependency::Broker, "AMQP_URL", vhost)),
            Some((Dependency::Redis, "REDIS_URL", node.redis_url.as_str())),
            node.database
                .as_deref()
                .map(|url| (Dependency::Sql, "DATABASE_URL", url)),
        ];
        let (mut proxies, mut variables) = (Vec::new(), Vec::new());
        for (dependency, variable, url) in servers.into_iter().flatten() {
            let watcher = Arc::clone(&breakpoint);
            let watch = Arc::new(move |way, bytes: &[u8]| watcher.look(dependency, way, bytes));
            let proxy = Proxy::start(url, Some(watch)).expect("a proxy");
            let mut through = proxy.through(url).expect("a URL");
            if dependency == Dependency::Sql {
                // MariaDB 11 offers TLS by itself, and nothing could be recognised in it.
                through.push_str("?ssl-mode=DISABLED");
            }
            variables.push((variable, through));
            proxies.push((dependency, proxy));
        }
        (
            Self {
                proxies,
                breakpoint,
            },
            variables,
        )
    }
}

impl Mesh {
    /// The link between a peer and one of its servers.
    pub(crate) fn link(&self, peer: Peer, dependency: Dependency) -> &Proxy {
        let links = self.links_of(peer);
        let found = links.proxies.iter().find(|(known, _)| *known == dependency);
        &found.expect("the peer has such a server").1
    }

    /// What a peer can be caught in.
    pub(crate) fn breakpoint(&self, peer: Peer) -> &Breakpoint {
        &self.links_of(peer).breakpoint
    }

    /// Everything passes again on all links of a peer.
    pub(crate) fn heal(&self, peer: Peer) {
        let links = self.links_of(peer);
        links.breakpoint.unset();
        links
            .proxies
            .iter()
            .for_each(|(_, proxy)| proxy.set(Mode::Open));
    }

    fn links_of(&self, peer: Peer) -> &Links {
        let links = self.links.iter().find(|(known, _)| *known == peer);
        &links.expect("the story asked for links of this peer").1
    }
}
