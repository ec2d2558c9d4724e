//! Conformance suites of the front door's traits, and what must hold for any input ([`hostile`]).
//!
//! One module for each trait. Its macro ([`signer_cases`] and its like) makes a test of each case: call it from your crate's
//! `tests/`, never from inside `src/` (a dev-dependency loop would give two versions of one crate).

pub mod account_store;
pub mod audit_store;
pub mod cases;
pub mod failure_store;
pub mod hostile;
pub mod http_guard;
pub mod key_management;
pub mod key_ring_store;
pub mod key_source;
pub mod refresh_store;
pub mod replicas;
pub mod signer;
