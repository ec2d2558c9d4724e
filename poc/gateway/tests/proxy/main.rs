//! The proxy over raw sockets, before a peer that records what arrives.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are no test functions"
)]

mod hostile;
mod passing;
mod stopping;
mod streams;
mod support;
mod upstream;
