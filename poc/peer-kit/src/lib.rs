//! What every peer of the mesh needs and no web framework gives: configuration, logs, metrics, health and a life cycle with an
//! end. Nothing in here names a framework, a broker or a database: a peer's `main.rs` does.

pub mod process;

pub mod config;
pub mod secrets_keys;
pub mod telemetry;
pub mod tls;

pub mod admission;
pub mod application;
pub mod health;
pub mod metrics;
pub mod shutdown;

pub mod gateway_keys;
pub mod late;

pub mod echo;
pub mod openapi;
