//! The documents that lie in `docs/openapi`: what the four peers of this workspace serve.
//!
//! `cargo run --example openapi` writes them; a test of this crate and one over the running peers compare them.

use std::path::PathBuf;

use hmac_propagation::propagator::Mode;

use crate::openapi::document;

/// Name, mode, and whether it has pages.
const PEERS: [(&str, Mode, bool); 4] = [
    ("authority", Mode::Full, false),
    ("consumer", Mode::ReceiveOnly, false),
    ("leptos-axum", Mode::Full, true),
    ("leptos-actix", Mode::Full, true),
];

/// Each file of this workspace, and what should be in it.
///
/// # Errors
/// When a document cannot be written as JSON.
pub fn files() -> Result<Vec<(PathBuf, String)>, serde_json::Error> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi"));
    let file = |(peer, mode, pages)| {
        let text = serde_json::to_string_pretty(&document(peer, mode, pages))?;
        Ok((folder.join(format!("{peer}.json")), text + "\n"))
    };
    PEERS.into_iter().map(file).collect()
}
