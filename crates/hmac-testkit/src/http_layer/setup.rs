//! What a server under test is given, and what it shows.

use std::time::Duration;

use hmac_auth::layer::OnlyClients;
use hmac_auth::verify::{SecretUsed, Verified, Verifier};

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
