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
pub mod wait;
