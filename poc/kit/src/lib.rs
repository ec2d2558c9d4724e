//! What a peer's HTTP surface and pages are, without a framework.

pub mod application;
pub mod body;
pub mod events;
pub mod fields;
pub mod forms;
pub mod mesh;
pub mod openapi;
pub mod pages;
pub mod parts;
pub mod problem;
pub mod surface;

pub use peer_kit::{config, health, late, metrics, process, reseal, shutdown, telemetry, tls};
