//! A receive-only peer on actix-web: it receives the credentials of the mesh and serves a route that they protect.

use std::error::Error;

use hmac_propagation::propagator::Mode;
use kit::application::{self, Application};
use kit::config::{Config, Defaults};
use kit::parts::Parts;
use kit::process::Failure;
use kit::shutdown::Stop;
use kit_actix::Server;
use kit_backends::real;

/// What the peer is when nothing is said.
pub const DEFAULTS: Defaults = Defaults {
    binary: "consumer",
    about: "A receive-only peer of the mesh: receives credential changes and serves what they protect",
    mode: Mode::ReceiveOnly,
    peer: "consumer",
    port: 3002,
};

/// Builds the peer over RabbitMQ and Redis.
///
/// # Errors
/// When the configuration can never work or the port is taken.
pub async fn build(config: Config) -> Result<Application, Failure> {
    build_on(&config, real::receive_only).await
}

/// Builds the peer over the backends that `wire` gives.
///
/// # Errors
/// When the configuration can never work or the port is taken.
pub async fn build_on<E: Error + Send + Sync + 'static>(
    config: &Config,
    wire: impl FnOnce(&Config, &Stop) -> Result<Parts, E>,
) -> Result<Application, Failure> {
    application::build(config, wire, Server, None).await
}
