//! A full-mode peer on axum with the dashboard: what the authority can do, and pages to watch and drive the mesh.

use std::error::Error;

use hmac_propagation::propagator::Mode;
use kit::application::{self, Application};
use kit::config::{Config, Defaults};
use kit::pages::Pages;
use kit::parts::Parts;
use kit::process::Failure;
use kit::shutdown::Stop;
use kit_axum::Server;
use kit_backends::real;

/// What the peer is when nothing is said.
pub const DEFAULTS: Defaults = Defaults {
    binary: "leptos-axum",
    about: "A full-mode peer of the mesh with the dashboard, on axum",
    mode: Mode::Full,
    peer: "leptos-axum",
    port: 3003,
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
    let pages = Pages::new(config, dashboard::render_json, dashboard::STYLE);
    application::build(config, wire, Server, Some(pages)).await
}
