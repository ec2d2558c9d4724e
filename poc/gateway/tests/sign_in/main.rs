//! People sign in: the gateway and the accounts service over real sockets, before a peer that records what arrives.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are no test functions"
)]

#[path = "../proxy/upstream.rs"]
#[expect(dead_code, reason = "the tests of the proxy use more of it")]
mod upstream;

mod browser;
mod front;
mod link;

mod doors;
mod native;
mod outages;
mod pages;
mod refreshing;
mod revocation;
mod signing;
