//! What the peers stand on.

use std::collections::BTreeMap;
use std::path::Path;

use peer_backends::memory::Memory;
use peer_backends::sql::sqlite_url;
use services::mesh::{Address, Mode, PLACES, Place, Servers, environments};
use services::output::say;
use tempfile::TempDir;

use crate::options::{Error, Services};

/// Addresses that nothing answers under: the embedded backends take none.
const NOWHERE: &str = "embedded.invalid";

/// Brought up, and taken down when dropped.
pub(crate) enum Backends {
    Embedded { memory: Memory, folder: TempDir },
    Servers(Box<Servers>),
}

impl Backends {
    pub(crate) async fn bring_up(services: Services, ports: [u16; 4]) -> Result<Self, Error> {
        if services == Services::Embedded {
            let folder = tempfile::Builder::new()
                .prefix("hmac-mesh-demo-")
                .tempdir()?;
            let memory = Memory::default();
            return Ok(Self::Embedded { memory, folder });
        }
        say("Starting RabbitMQ, MariaDB and four Redis ...")?;
        Ok(Self::Servers(Box::new(Servers::start(ports).await?)))
    }

    /// The environment of every peer, in the order of [`PLACES`].
    pub(crate) fn environments(
        &self,
        ports: [u16; 4],
    ) -> Result<Vec<BTreeMap<String, String>>, Error> {
        Ok(match self {
            Self::Servers(servers) => environments(&servers.vhost, &servers.addresses)?,
            Self::Embedded { folder, .. } => {
                let places = PLACES.into_iter().zip(ports);
                let addresses: Vec<_> = places.map(|at| embedded(at, folder.path())).collect();
                environments(&format!("amqp://{NOWHERE}/mesh"), &addresses)?
            }
        })
    }

    /// Where an operator may look besides the peers.
    pub(crate) fn consoles(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Embedded { .. } => Vec::new(),
            Self::Servers(servers) => {
                let api = servers.rabbitmq.api_url();
                let address = api.rsplit_once('@').map_or(api, |(_, address)| address);
                vec![("RabbitMQ", format!("http://{address}"))]
            }
        }
    }
}

fn embedded((place, port): (Place, u16), folder: &Path) -> Address {
    let database = folder.join(format!("{}.sqlite", place.name));
    Address {
        place,
        port,
        redis: format!("redis://{NOWHERE}/"),
        database: (place.mode == Mode::Full).then(|| sqlite_url(&database)),
    }
}
