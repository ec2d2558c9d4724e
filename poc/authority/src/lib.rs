//! A full-mode peer on axum: it owns a management store, accepts changes over HTTP, propagates them, and receives those of
//! others. The binary `authority` is this crate; under another `AMQP_QUEUE` it is any other full-mode peer.

use std::error::Error;

use hmac_propagation::propagator::Mode;
use kit::application::{self, Application};
use kit::config::{Config, Defaults};
use kit::parts::Parts;
use kit::process::Failure;
use kit::shutdown::Stop;
use kit_axum::Server;
use kit_backends::real;

/// What the peer is when nothing is said.
pub const DEFAULTS: Defaults = Defaults {
    binary: "authority",
    about: "A full-mode peer of the mesh: accepts credential changes, propagates them, and receives those of others",
    mode: Mode::Full,
    peer: "authority",
    port: 3001,
};

/// Builds the peer over RabbitMQ, Redis and SQL.
///
/// # Errors
/// When the configuration can never work or the port is taken.
pub async fn build(config: Config) -> Result<Application, Failure> {
    build_on(&config, real::full).await
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
