//! A full-mode peer on axum: it owns a management store, accepts changes over HTTP, propagates them, and receives those of
//! others. The binary `authority` is this crate; under another `AMQP_QUEUE` it is any other full-mode peer.
//!
//! [`wiring`] is the only place that knows which broker and which stores there are.

pub mod application;
pub mod http;
pub mod signed_get;
pub mod wiring;

pub use crate::application::{Application, ApplicationError, Parts};
