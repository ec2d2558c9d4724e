//! The propagation protocol.

pub mod broker;
pub mod event;
pub mod management;
pub mod memory;
pub mod peer_store;
pub mod queue;
