//! What every peer needs and no framework gives: configuration, logs, metrics, health, shutdown, the problem type, and the
//! framework-independent part of the HTTP surface. A peer translates between this and its framework, nothing more.

pub mod config;
pub mod fields;
pub mod health;
pub mod late;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod process;
pub mod shutdown;
pub mod surface;
pub mod telemetry;
pub mod tls;
pub mod verifier;
