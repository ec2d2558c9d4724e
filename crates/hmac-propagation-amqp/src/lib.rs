//! The broker over RabbitMQ (AMQP 0-9-1, propagation wire 2.1).
//!
//! [`AmqpBroker::connect`] returns at once and keeps one connection alive until it is closed:
//! whatever is lost (connection, channel, queue, consumer) is built again by itself, with back-off, and
//! [`status`](hmac_propagation::broker::Broker::status) tells meanwhile what is wrong. lapin stays inside this crate.
//!
//! ```no_run
//! use hmac_propagation::{Broker, PeerName};
//! use hmac_propagation_amqp::{AmqpBroker, AmqpOptions};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "amqp://guest:guest@127.0.0.1:5672/hmac-credentials";
//! let broker = AmqpBroker::connect(AmqpOptions::from_url(url, "authority")?);
//! let mut deliveries = broker.subscribe(&PeerName::parse("authority")?, 200).await?;
//! let batch = deliveries.next(200).await;
//! # let _ = batch;
//! # Ok(())
//! # }
//! ```
//!
//! Four things to note:
//! - lapin's own recovery stays off: it does not recover a channel that the broker closed, and it gives up
//!   (see the `reconnect` module for what happens instead).
//! - A publish has a confirm channel to itself while it lasts, from a small pool. The broker's returns carry no delivery tag, and
//!   lapin hands a return to whichever confirm comes next; on a shared channel that may be somebody else's.
//! - lapin's input and output thread logs nothing: it would print returned bodies and the password it signs in with.
//! - TCP_NODELAY is set, and the socket is shut down when the broker does not answer, so that no thread is left behind.

pub mod broker;
pub mod options;

mod channel;
mod connection;
mod consume;
mod failure;
mod publish;
mod reconnect;
mod status;

pub use crate::broker::AmqpBroker;
pub use crate::options::AmqpOptions;
