//! Who the peers are, what they know, and how they are told.

use auth_base::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};

use super::node::Node;

/// What `AMQP_URL` stands instead of.
const PARTS: [&str; 6] = [
    "AMQP_PROTOCOL",
    "AMQP_HOST",
    "AMQP_PORT",
    "AMQP_USER",
    "AMQP_PASSWORD",
    "AMQP_VHOST",
];

/// One of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The first full-mode peer.
    Authority,
    /// The receive-only peer.
    Consumer,
    /// The second full-mode peer.
    LeptosAxum,
    /// The third full-mode peer.
    LeptosActix,
}

impl Peer {
    /// All four, in the order of their nodes.
    pub(crate) const ALL: [Self; 4] = [
        Self::Authority,
        Self::Consumer,
        Self::LeptosAxum,
        Self::LeptosActix,
    ];

    /// Its name in the mesh.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Consumer => "consumer",
            Self::LeptosAxum => "leptos-axum",
            Self::LeptosActix => "leptos-actix",
        }
    }

    /// Whether it accepts changes of its own.
    pub(crate) fn is_full(self) -> bool {
        self != Self::Consumer
    }

    /// The other three.
    pub(crate) fn others(self) -> [Self; 3] {
        let mut others = Self::ALL.into_iter().filter(|peer| *peer != self);
        std::array::from_fn(|_| others.next().expect("three others"))
    }

    /// Where its management surface lives, and the status of a good answer to a POST there.
    pub(crate) fn surface(self) -> (&'static str, u16) {
        match self {
            Self::Authority => ("/admin", 201),
            _ => ("/api", 200),
        }
    }

    pub(super) fn schema(self) -> String {
        format!("e2e_{}", self.name().replace('-', "_"))
    }
}

/// What only the peers should know; fresh for every mesh.
pub(crate) struct Secrets {
    propagation: [String; 4],
    pepper: [String; 4],
    key: [String; 4],
}

impl Secrets {
    /// Those of containers, by what they are configured with.
    pub(super) fn read(environments: &[Vec<(String, String)>; 4]) -> Self {
        let read = |name: &str| {
            std::array::from_fn(|peer| {
                value(&environments[peer], name)
                    .unwrap_or_default()
                    .to_owned()
            })
        };
        Self {
            propagation: read("PROPAGATION_SECRET"),
            pepper: read("HMAC_SECRET_TOKEN"),
            key: read("SECRETS_KEY"),
        }
    }

    pub(super) fn fresh() -> Self {
        let text = |what: &str| format!("{what}-{:032x}", rand::random::<u128>());
        Self {
            propagation: Peer::ALL.map(|peer| text(&format!("entry-{}", peer.name()))),
            pepper: Peer::ALL.map(|peer| text(&format!("pepper-{}", peer.name()))),
            key: Peer::ALL.map(|_| STANDARD.encode(rand::random::<[u8; 32]>())),
        }
    }

    /// What events to the peer must bear.
    pub(crate) fn propagation(&self, peer: Peer) -> &str {
        &self.propagation[peer as usize]
    }

    /// The hash of a client's secret under a peer's own pepper: what that peer stores and spreads, and what the client signs with.
    pub(crate) fn hash(&self, peer: Peer, secret: &str) -> SecretHash {
        hash_client_secret(
            &Secret::new(secret),
            Some(&Secret::new(self.pepper[peer as usize].clone())),
        )
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        let all = self
            .propagation
            .iter()
            .chain(&self.pepper)
            .chain(&self.key)
            .map(String::as_str);
        all.filter(|secret| !secret.is_empty())
    }
}

/// A variable of an environment.
pub(super) fn value<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    environment
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// The environment of one peer's process.
pub(super) fn of_a_process(
    nodes: &[Node],
    peer: Peer,
    secrets: &Secrets,
    vhost: &str,
) -> Vec<(String, String)> {
    let node = &nodes[peer as usize];
    let of_others = || {
        let pairs = peer
            .others()
            .map(|other| format!("{}={}", other.name(), secrets.propagation(other)));
        pairs.join(",")
    };
    let mut pairs: Vec<(&str, String)> = vec![
        (
            "PORT",
            node.url.rsplit(':').next().unwrap_or_default().to_owned(),
        ),
        ("BIND", "127.0.0.1".to_owned()),
        ("AMQP_URL", vhost.to_owned()),
        ("AMQP_QUEUE", peer.name().to_owned()),
        ("PROPAGATION_SECRET", secrets.propagation(peer).to_owned()),
        ("HMAC_SECRET_TOKEN", secrets.pepper[peer as usize].clone()),
        ("REDIS_URL", node.redis_url.clone()),
        (
            "RUST_LOG",
            services::variable("HMAC_MESH_LOG").unwrap_or("trace".to_owned()),
        ),
        ("NO_COLOR", "1".to_owned()),
    ];
    match &node.database {
        None => pairs.push(("PROPAGATION_SOURCES", of_others())),
        Some(database) => {
            let urls = nodes
                .iter()
                .map(|node| format!("{}={}", node.peer.name(), node.url));
            let stores = nodes
                .iter()
                .map(|node| format!("{}={}", node.peer.name(), node.redis_url));
            pairs.extend([
                ("PROPAGATION_TARGETS", of_others()),
                ("DATABASE_URL", database.clone()),
                ("SECRETS_KEY", secrets.key[peer as usize].clone()),
                ("PEER_URLS", urls.collect::<Vec<_>>().join(",")),
                ("PEER_REDIS_URLS", stores.collect::<Vec<_>>().join(",")),
                ("SYNC_INTERVAL_MS", "500".to_owned()),
                // A story that damages a store wants to see it damaged; those that want it healed say so.
                ("DRIFT_INTERVAL_MS", "0".to_owned()),
            ]);
        }
    }
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The usual environment with what a story wants otherwise.
pub(super) fn with(
    mut environment: Vec<(String, String)>,
    peer: Peer,
    variables: &[(Option<Peer>, String, String)],
) -> Vec<(String, String)> {
    for (only, name, value) in variables {
        if only.is_none_or(|only| only == peer) {
            // A URL stands for all parts of it.
            let replaced =
                |known: &str| known == name || (name == "AMQP_URL" && PARTS.contains(&known));
            environment.retain(|(known, _)| !replaced(known));
            environment.push((name.clone(), value.clone()));
        }
    }
    environment
}
