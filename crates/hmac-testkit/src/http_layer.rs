//! The behaviour of an HTTP layer, run over a real socket, so that two frameworks' adapters cannot drift apart.
//!
//! # Implementing
//! From your adapter's `tests/`, call [`check`] with a function that starts your server on `127.0.0.1:0` with the
//! given [`Setup`] and returns its address. The server must speak plain HTTP/1.1, know the peer's address, and serve:
//!
//! | route | what stands before it | answer |
//! |---|---|---|
//! | any method `/echo` and everything below it | the layer | see below |
//! | any method `/nested/echo` | the layer, *inside* of a router nested (or scope mounted) at `/nested` | the same |
//! | any method `/only` | the layer, then the restriction to [`Setup::only`] | the same |
//! | GET `/forgotten` | nothing, but the handler extracts who signed | never 200 |
//! | GET `/only-forgotten` | the restriction without the layer | never 200 |
//!
//! The answer is 200 with the request's body, and [`echo_headers`] of what the extractor gave.

mod cases;
mod raw;
mod world;

use std::net::SocketAddr;
use std::time::Duration;

use hmac_auth::layer::OnlyClients;
use hmac_auth::verify::{SecretUsed, Verified, Verifier};

use crate::http_layer::world::World;

/// What a server under test is built with.
#[derive(Clone)]
pub struct Setup {
    /// Verifies.
    pub verifier: Verifier,
    /// The layer's body limit, in bytes.
    pub body_limit: usize,
    /// The layer's body timeout.
    pub body_timeout: Duration,
    /// For the restricted routes.
    pub only: OnlyClients,
}

/// The headers by which a server under test shows what its extractor gave.
pub fn echo_headers(verified: &Verified) -> [(&'static str, String); 3] {
    let secret = match verified.secret_used {
        SecretUsed::Current => "current",
        SecretUsed::Previous => "previous",
    };
    let address = verified
        .client_address
        .map_or_else(String::new, |address| address.to_string());
    [
        ("x-verified-client", verified.client_id.to_string()),
        ("x-secret-used", secret.to_owned()),
        ("x-client-address", address),
    ]
}

/// Runs every case against the servers that `serve` starts: a plain one, one that trusts a proxy on this machine,
/// and one that does not wait for bodies.
///
/// # Panics
/// When a case fails; the text names all that did.
pub async fn check<F, S>(serve: S)
where
    S: Fn(Setup) -> F,
    F: Future<Output = SocketAddr>,
{
    let mut world = World::new();
    world.direct = serve(world.setup()).await;
    world.proxied = serve(world.setup_behind_proxy()).await;
    world.impatient = serve(world.setup_impatient()).await;
    let failures = cases::run(&world).await;
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
