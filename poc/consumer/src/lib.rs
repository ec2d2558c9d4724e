//! A receive-only peer on actix-web: it receives the credentials of the mesh and serves a route that they protect.
//!
//! [`wiring`] is the only place that knows which broker and which stores there are.

pub mod application;
pub mod http;
pub mod wiring;

pub use crate::application::{Application, ApplicationError, Parts};
