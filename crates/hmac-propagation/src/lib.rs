//! The propagation protocol.

pub mod broker;
pub mod counters;
pub mod error;
pub mod event;
pub mod management;
pub mod memory;
pub mod options;
pub mod peer_store;
pub mod propagator;
pub mod queue;

mod acks;
mod changes;
mod inbound;
mod outbound;
mod shared;
mod sync_loop;
