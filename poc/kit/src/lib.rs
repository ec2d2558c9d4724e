//! What every peer needs and no framework gives: configuration, logs, metrics, health, shutdown, pages, and the view of the mesh.

pub mod application;
pub mod config;
pub mod health;
pub mod late;
pub mod mesh;
pub mod metrics;
pub mod openapi;
pub mod pages;
pub mod parts;
pub mod process;
pub mod reseal;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
pub mod verifier;
