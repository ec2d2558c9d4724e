//! The service over memory, SQLite and MariaDB, by real HTTP with real tokens.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod broken;
mod links;
mod refresh;
mod refused;
mod secrets;
mod sessions;
mod sign_in;
mod support;
mod sweep;
mod users;
