//! Cursor, in-flight ledger and atomic apply in Redis (propagation wire 2.3 and 2.5).
//!
//! ```no_run
//! use hmac_propagation_redis::{PeerStoreOptions, RedisLink, RedisPeerStore};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let link = RedisLink::open("redis://127.0.0.1:6379")?;
//! let store = RedisPeerStore::new(link, PeerStoreOptions::default());
//! # let _ = store;
//! # Ok(())
//! # }
//! ```
//!
//! Two peers on one Redis need a prefix each, and credential namespaces each (the original has neither and lets them steal each
//! other's cursors).
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod keys;
pub mod peer_store;
pub mod watch;

mod ledger;

pub use redis_link::link::RedisLink;

pub use crate::peer_store::{PeerStoreOptions, RedisPeerStore};
pub use crate::watch::{StoreChange, StoreWatch};
