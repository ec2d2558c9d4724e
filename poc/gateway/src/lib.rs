//! The gateway: the keys of the front door, tokens from the command line, and the proxy in front of the peers.
//!
//! ```text
//!   gateway keys init ─► signing-key.json (0600)  ─► gateway token ─► Authorization: Bearer …   or   X-Internal-Auth: …
//!                     │                           └► gateway proxy ─► X-Internal-Auth: …, for each request that it hands on
//!                     └► jwks.json ─► GATEWAY_KEYS of every peer
//! ```
//!
//! It is a library with a thin `main`, so that tests and `cargo demo` start the same thing in their process.

pub mod command;
pub mod keys;
mod metrics;
mod page;
pub mod pages;
pub mod proxy;
pub mod sign_in;
pub mod token;
