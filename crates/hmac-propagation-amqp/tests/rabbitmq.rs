//! The broker over a real RabbitMQ. Each test has a vhost of its own; those that end the node have a node of their own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what tests share fails by panicking"
)]

#[path = "rabbitmq/conformance.rs"]
mod conformance;
#[path = "rabbitmq/faults.rs"]
mod faults;
#[path = "rabbitmq/outage.rs"]
mod outage;
#[path = "rabbitmq/secrets.rs"]
mod secrets;
#[path = "rabbitmq/support.rs"]
mod support;
