//! The four peers' places, the servers under them, and the environment each peer is started with.
//!
//! Who wants to see how a mesh is configured reads [`environments`].

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::TcpListener;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::Error;
use crate::mariadb::{MariaDb, mariadb};
use crate::ports::free_port;
use crate::rabbitmq::{RabbitMq, rabbitmq};
use crate::redis::{Redis, redis};

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
    /// Its name, which is its queue's and its program's.
    pub name: &'static str,
    /// What it can do.
    pub mode: Mode,
    /// Its port where standard ports are asked for.
    pub port: u16,
}

/// The four peers.
pub const PLACES: [Place; 4] = [
    Place {
        name: "authority",
        mode: Mode::Full,
        port: 3001,
    },
    Place {
        name: "consumer",
        mode: Mode::ReceiveOnly,
        port: 3002,
    },
    Place {
        name: "leptos-axum",
        mode: Mode::Full,
        port: 3003,
    },
    Place {
        name: "leptos-actix",
        mode: Mode::Full,
        port: 3004,
    },
];

/// The ports of the peers, in the order of [`PLACES`]: their own, or free ones.
///
/// # Errors
/// [`Error::Unexpected`] with the name of the peer whose port is taken.
pub fn ports(standard: bool) -> Result<[u16; 4], Error> {
    let mut ports = PLACES.map(|place| place.port);
    for (port, place) in ports.iter_mut().zip(&PLACES) {
        if !standard {
            *port = free_port()?;
        } else if TcpListener::bind(("127.0.0.1", *port)).is_err() {
            return Err(Error::Unexpected(format!(
                "port {port} of {} is taken: end what listens there, or add --free-ports",
                place.name
            )));
        }
    }
    Ok(ports)
}

/// Where a peer and its stores are.
#[derive(Debug, Clone)]
pub struct Address {
    /// Which peer.
    pub place: Place,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// `REDIS_URL`.
    pub redis: String,
    /// `DATABASE_URL` of a full-mode peer.
    pub database: Option<String>,
}

/// RabbitMQ, MariaDB and four Redis. Everything ends when it is dropped.
pub struct Servers {
    /// The broker.
    pub rabbitmq: RabbitMq,
    /// The SQL server of all full-mode peers.
    pub mariadb: MariaDb,
    /// The peers' Redis, in the order of [`PLACES`].
    pub redis: [Redis; 4],
    /// The vhost of this mesh, as an AMQP URL.
    pub vhost: String,
    /// Where each peer is, in the order of [`PLACES`].
    pub addresses: Vec<Address>,
}

impl Servers {
    /// Brings up the servers, with a vhost and schemas of their own for this mesh.
    ///
    /// # Errors
    /// When a server does not come up, with the end of its log.
    pub async fn start(ports: [u16; 4]) -> Result<Self, Error> {
        let (rabbitmq, mariadb) = tokio::try_join!(rabbitmq(), mariadb())?;
        let redis: [Redis; 4] = tokio::try_join!(redis(), redis(), redis(), redis())?.into();
        let vhost = rabbitmq.vhost("mesh").await?;
        let mut addresses = Vec::new();
        for ((place, port), redis) in PLACES.into_iter().zip(ports).zip(&redis) {
            let database = match place.mode {
                Mode::Full => Some(mariadb.database(&place.name.replace('-', "_")).await?),
                Mode::ReceiveOnly => None,
            };
            addresses.push(Address {
                place,
                port,
                redis: format!("{}/0", redis.url()),
                database,
            });
        }
        Ok(Self {
            rabbitmq,
            mariadb,
            redis,
            vhost,
            addresses,
        })
    }
}

/// Composes the environment of every peer, in the order of `addresses`; its secrets are drawn anew each time.
///
/// # Errors
/// [`Error::Io`] when the system gives no randomness.
pub fn environments(
    vhost: &str,
    addresses: &[Address],
) -> Result<Vec<BTreeMap<String, String>>, Error> {
    let members: Vec<Member> = addresses
        .iter()
        .map(|address| {
            Ok(Member {
                address,
                secret: random_hex()?,
            })
        })
        .collect::<Result<_, Error>>()?;
    members
        .iter()
        .map(|own| variables(vhost, own, &members))
        .collect()
}

struct Member<'a> {
    address: &'a Address,
    /// Its propagation secret: who knows it may write credentials there.
    secret: String,
}

fn variables(
    vhost: &str,
    own: &Member,
    members: &[Member],
) -> Result<BTreeMap<String, String>, Error> {
    let Address {
        place,
        port,
        redis,
        database,
    } = own.address;
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    set("PORT", &port.to_string());
    set("BIND", "127.0.0.1");
    set("AMQP_URL", vhost);
    set("AMQP_QUEUE", place.name);
    set("PROPAGATION_SECRET", &own.secret);
    set("HMAC_SECRET_TOKEN", &random_hex()?);
    set("REDIS_URL", redis);
    let others = || {
        members
            .iter()
            .filter(|other| other.address.place.name != place.name)
    };
    match database {
        None => {
            let sources = others().filter(|other| other.address.place.mode == Mode::Full);
            set(
                "PROPAGATION_SOURCES",
                &list(sources, |source| source.secret.clone()),
            );
        }
        Some(database) => {
            set("DATABASE_URL", database);
            set("SECRETS_KEY", &STANDARD.encode(random::<32>()?));
            set(
                "PROPAGATION_TARGETS",
                &list(others(), |target| target.secret.clone()),
            );
            set(
                "PEER_REDIS_URLS",
                &list(members.iter(), |peer| peer.address.redis.clone()),
            );
            set(
                "PEER_URLS",
                &list(members.iter(), |peer| {
                    format!("http://127.0.0.1:{}", peer.address.port)
                }),
            );
        }
    }
    Ok(variables)
}

/// Writes `name=value,name=value`.
fn list<'a>(
    members: impl Iterator<Item = &'a Member<'a>>,
    value: impl Fn(&Member) -> String,
) -> String {
    let pairs: Vec<_> = members
        .map(|member| format!("{}={}", member.address.place.name, value(member)))
        .collect();
    pairs.join(",")
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let read = fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.map_err(Error::io("randomness"))?;
    Ok(bytes)
}

fn random_hex() -> Result<String, Error> {
    Ok(random::<16>()?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_peer_knows_the_others_and_has_secrets_of_its_own() {
        let addresses = PLACES.map(|place| Address {
            place,
            port: place.port,
            redis: format!("redis://127.0.0.1:1/{}", place.port),
            database: (place.mode == Mode::Full)
                .then(|| format!("mysql://root@127.0.0.1/{}", place.name)),
        });
        let all = environments("amqp://x/v", &addresses).unwrap();
        let distinct = |name: &str| {
            all.iter()
                .map(|one| &one[name])
                .collect::<BTreeSet<_>>()
                .len()
        };
        assert_eq!(
            (
                distinct("HMAC_SECRET_TOKEN"),
                distinct("PROPAGATION_SECRET")
            ),
            (4, 4)
        );
        let secret = |peer: usize| &all[peer]["PROPAGATION_SECRET"];
        assert_eq!(
            all[0]["PROPAGATION_TARGETS"],
            format!(
                "consumer={},leptos-axum={},leptos-actix={}",
                secret(1),
                secret(2),
                secret(3)
            )
        );
        assert!(!all[1].contains_key("DATABASE_URL"));
        let sources = format!("authority={},leptos-axum={}", secret(0), secret(2));
        assert!(all[1]["PROPAGATION_SOURCES"].starts_with(&sources));
        assert!(all[3]["PEER_URLS"].ends_with("leptos-actix=http://127.0.0.1:3004"));
    }
}
