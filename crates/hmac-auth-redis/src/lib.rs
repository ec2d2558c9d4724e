//! Credential and nonce stores in Redis (wire contract 1.4).
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use hmac_auth_redis::{
//!     CacheOptions, CachedCredentials, Namespace, RedisCredentialStore, RedisLink, RedisNonceStore,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let link = RedisLink::open("redis://127.0.0.1:6379")?;
//! let namespace = Namespace::new("hmac:http");
//! let credentials = RedisCredentialStore::new(link.clone(), namespace.clone());
//! // One round trip less for each verified request; leave it out and everything works the same.
//! let credentials = CachedCredentials::spawn(credentials, CacheOptions::default());
//! let nonces = RedisNonceStore::new(link, namespace);
//! # let _ = (Arc::new(credentials), Arc::new(nonces));
//! # Ok(())
//! # }
//! ```
//!
//! Three things to note:
//! - Nothing here connects before it is used, and nothing has to be told to reconnect; see [`redis_link::link`].
//! - A write is one Lua script, so that two writers never see each other's halves; the merge is
//!   [`hmac_auth::credential::CredentialChange::merge`] in Lua (`src/lua/record.lua`).
//! - One Redis (or a primary with replicas), not a Redis Cluster: the key names are frozen and bear no hash tags.
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod cached_credentials;
pub mod credential_store;
pub mod keys;
pub mod nonce_store;

pub use redis_link::link::{LinkOptions, RedisLink};

pub use crate::cached_credentials::{CacheOptions, CachedCredentials};
pub use crate::credential_store::RedisCredentialStore;
pub use crate::keys::Namespace;
pub use crate::nonce_store::RedisNonceStore;
