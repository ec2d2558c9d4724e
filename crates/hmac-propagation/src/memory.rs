//! Complete in-memory implementations of the seams: for the embedded mesh, for tests and for the simulation.
//!
//! They keep every sentence of the traits' contracts and run the same conformance suites as RabbitMQ, Redis and MariaDB. What they
//! do not do is outlive the process.

pub mod audit;
pub mod broker;
mod ledger;
pub mod management;
pub mod peer_store;

pub use broker::{MemoryBroker, MemoryBus};
pub use management::MemoryManagement;
pub use peer_store::MemoryPeerStore;
