//! Key rings over time: rotation under load, replicas, providers and stores that fail.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "ring/failures.rs"]
mod failures;
#[path = "ring/faulty.rs"]
mod faulty;
#[path = "ring/machine.rs"]
mod machine;
#[path = "ring/rotation.rs"]
mod rotation;
