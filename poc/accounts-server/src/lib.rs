//! The accounts service: people who sign in, for the gateway alone (`docs/accounts.md`).
//!
//! It is a library with a thin `main`, so that tests and `cargo demo` start the same thing in their process. What it answers is
//! `accounts::private_api`; which routes there are, and what each asks for, is the table of [`operation`]. What it does stands
//! in [`service`], without a framework.
//!
//! Beside the table, `/v1/health`, `/v1/health/db`, `/livez` and `/readyz` are open to everybody who reaches the port.

pub mod application;
pub mod command;
pub mod config;
pub mod failure;
pub mod operation;
pub mod router;
pub mod service;

mod answer;
mod handlers;
mod health;

pub use crate::application::Application;
pub use crate::config::{Arguments, Command, Settings, Store};
pub use crate::operation::Operation;
pub use crate::router::router;
pub use crate::service::{Accounts, Policy, Stores};
