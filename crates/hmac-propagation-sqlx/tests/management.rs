//! The management store over real databases.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "management/at_rest.rs"]
mod at_rest;
#[path = "management/conformance.rs"]
mod conformance;
#[path = "management/contention.rs"]
mod contention;
#[path = "management/databases.rs"]
mod databases;
#[path = "management/half_open.rs"]
mod half_open;
#[path = "management/inventory.rs"]
mod inventory;
#[path = "management/outages.rs"]
mod outages;
#[path = "management/reseal.rs"]
mod reseal;
#[path = "management/schema.rs"]
mod schema;
#[path = "management/state.rs"]
mod state;
