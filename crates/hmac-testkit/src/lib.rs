//! Conformance suites, and what must hold for any input ([`hostile`]).
//!
//! One module for each trait. Its macro ([`credential_store_cases`] and its like) makes a test of each case: call it from
//! your crate's `tests/`, never from inside `src/` (a dev-dependency loop would give two versions of one crate).

pub mod broker;
pub mod cases;
pub mod credential_store;
pub mod hostile;
pub mod http_layer;
pub mod management;
pub mod nonce_store;
pub mod peer_store;

use std::time::{Duration, Instant};

/// Asks until the answer is yes, for what comes true by the passing of time.
///
/// # Panics
/// When the answer is still no after 10 s; the message names `what`.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
