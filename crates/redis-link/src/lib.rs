//! One connection to Redis that many share, with a bound on everything: what the stores in Redis stand on.
//!
//! # Who should depend on it
//! Who writes a store in Redis. An application opens a [`RedisLink`] and gives it to the stores; their crates re-export it.
//!
//! Three things to note:
//! - Nothing connects before it is used, and nothing has to be told to reconnect; see [`link`].
//! - Every answer comes within a timeout, and every failure is sorted: does it pass by itself, or is an operator needed
//!   ([`failure`]).
//! - One Redis (or a primary with replicas), not a Redis Cluster.
//!
//! The types of the `redis` crate appear in the API of this crate, for the sibling crates that write the stores.
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod link;
pub mod script;

pub mod key_watch;
pub mod tracking;

pub mod failure;

pub use crate::link::{LinkOptions, RedisLink};
