//! What every peer needs and no framework gives: configuration, logs, metrics, health, shutdown, the problem type, and the
//! framework-independent part of the HTTP surface. A peer translates between this and its framework, nothing more.

pub mod application;
pub mod body;
pub mod config;
pub mod events;
pub mod fields;
pub mod forms;
pub mod health;
pub mod late;
pub mod mesh;
pub mod metrics;
pub mod openapi;
pub mod pages;
pub mod parts;
pub mod problem;
pub mod process;
pub mod reseal;
pub mod shutdown;
pub mod surface;
pub mod telemetry;
pub mod tls;
pub mod verifier;
