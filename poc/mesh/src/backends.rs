//! What the peers stand on.

use std::collections::BTreeMap;

use kit::config::Config;
use kit::parts::Parts;
use kit::shutdown::Stop;
use kit_backends::embedded::Embedded;
use kit_backends::error::WiringError;
use kit_backends::real;
use services::mesh::{Address, Mode, PLACES, Servers, environments};
use tempfile::TempDir;

use crate::{Error, Services};

/// Addresses that nothing answers under: the embedded backends take none.
const NOWHERE: &str = "embedded.invalid";

/// Brought up, and taken down when dropped.
pub(crate) enum Backends {
    Embedded {
        backends: Embedded,
        _folder: TempDir,
    },
    Servers(Box<Servers>),
}

impl Backends {
    pub(crate) async fn bring_up(services: Services, ports: [u16; 4]) -> Result<Self, Error> {
        if services == Services::Embedded {
            let folder = tempfile::Builder::new()
                .prefix("hmac-mesh-demo-")
                .tempdir()?;
            return Ok(Self::Embedded {
                backends: Embedded::new(folder.path()),
                _folder: folder,
            });
        }
        println!("Starting RabbitMQ, MariaDB and four Redis ...");
        Ok(Self::Servers(Box::new(Servers::start(ports).await?)))
    }

    /// The environment of every peer, in the order of [`PLACES`].
    pub(crate) fn environments(
        &self,
        ports: [u16; 4],
    ) -> Result<Vec<BTreeMap<String, String>>, Error> {
        Ok(match self {
            Self::Servers(servers) => environments(&servers.vhost, &servers.addresses)?,
            Self::Embedded { .. } => {
                let addresses: Vec<_> = PLACES.into_iter().zip(ports).map(embedded).collect();
                environments(&format!("amqp://{NOWHERE}/mesh"), &addresses)?
            }
        })
    }

    pub(crate) fn full(&self, config: &Config, stop: &Stop) -> Result<Parts, WiringError> {
        match self {
            Self::Embedded { backends, .. } => backends.full(config, stop),
            Self::Servers(_) => real::full(config, stop),
        }
    }

    pub(crate) fn receive_only(&self, config: &Config, stop: &Stop) -> Result<Parts, WiringError> {
        match self {
            Self::Embedded { backends, .. } => backends.receive_only(config, stop),
            Self::Servers(_) => real::receive_only(config, stop),
        }
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

fn embedded((place, port): (services::mesh::Place, u16)) -> Address {
    Address {
        place,
        port,
        redis: format!("redis://{NOWHERE}/"),
        database: (place.mode == Mode::Full).then(|| format!("sqlite:{NOWHERE}")),
    }
}
