//! The clients against servers in this process: honest ones, and such as lie, are slow, move, or want certificates.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "http/certificates.rs"]
mod certificates;
#[path = "http/lies.rs"]
mod lies;
#[path = "http/servers.rs"]
mod servers;
#[path = "http/tokens.rs"]
mod tokens;
#[path = "http/transit.rs"]
mod transit;
