//! Keys that sign tokens: who holds them, what is believed of what they say, and how one key follows another.
//!
//! This crate is the contract of key management, as `jwt-auth` is that of tokens. It does no I/O and names no HTTP client and
//! no database. Providers are other crates: `kms-http`, `kms-sqlx`.
//!
//! ```text
//!   token issuer --- RingSigner ---+                        +--- memory
//!                                  |                        |
//!   RingKeeper: pending -> active -+-- CheckedKeyManagement-+--- kms-sqlx
//!      |        -> retiring -> deleting                     |
//!      |                                                    +--- kms-http ---> key server, Vault
//!   KeyRingStore (one revision, compare and set)
//!      |
//!      +--- published key set (Jwks) ---> verifiers
//! ```
//!
//! # The rules
//! - A provider is never trusted. Its public key and each of its signatures are checked before anybody sees them
//!   ([`checked`]).
//! - A ring has exactly one key that signs. A new one is published before it signs, and an old one as long as a token that it
//!   signed is valid ([`key_ring`]).
//! - Replicas meet in one register with compare and set. Who read an old revision changes nothing ([`ring_store`]).
//! - A key whose deletion failed stays in its ring, unpublished, until its provider has confirmed.
//! - What is absent is `Ok(None)`; `Err` means broken. A broken provider ends signing, not verifying.
//! - No error and no `Debug` shows a key or a credential.
//!
//! # A whole program
//! ```
//! use std::sync::Arc;
//!
//! use auth_base::ManualClock;
//! use jwt_auth::Signer;
//! use kms::{MemoryKeyManagement, MemoryKeyRingStore, Providers, RingKeeper, RingName, RingPolicy};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = Arc::new(ManualClock::new(1_800_000_000_000));
//! let providers = Providers::of("main", Arc::new(MemoryKeyManagement::new()));
//! let keeper = RingKeeper::with_clock(
//!     RingName::parse("access-tokens")?,
//!     Arc::new(MemoryKeyRingStore::new()),
//!     providers,
//!     RingPolicy::default(),
//!     clock.clone(),
//! );
//!
//! // The first turn makes a key. A program takes turns by `keeper.run(pause)`.
//! keeper.tick().await?;
//! let signer = keeper.signer().await?;
//! let signature = signer.sign(b"header.claims").await?;
//! let published = keeper.jwks().await?.keys;
//! let key = published.find(signer.key().kid()).ok_or("published")?;
//! assert!(key.verify(b"header.claims", &signature).is_ok());
//!
//! // A rotation: the next key is published first, and signs six minutes later.
//! keeper.rotate().await?;
//! assert_eq!(keeper.jwks().await?.keys.keys().len(), 2);
//! assert_eq!(keeper.signer().await?.key(), signer.key());
//! clock.advance(400_000);
//! keeper.tick().await?;
//! assert_ne!(keeper.signer().await?.key(), signer.key());
//!
//! // The old one goes when its last token has expired.
//! clock.advance(1_000_000);
//! keeper.tick().await?;
//! assert!(keeper.jwks().await?.keys.find(signer.key().kid()).is_none());
//! assert!(signer.sign(b"header.claims").await.is_err());
//! # Ok(()) }
//! ```
//!
//! # What it does not do
//! No encryption but of keys ([`wrapped_key`]), no RSA. It reads no file and no environment: `kms.json` comes as bytes
//! ([`config`]). It starts no task: [`RingKeeper::run`] is a future of yours.
//!
//! # Implementing
//! Two seams are to be filled: [`KeyManagement`] (private keys that are elsewhere) and [`KeyRingStore`] (a register). Both are
//! dyn-safe, and each module says what must hold. The suites of `auth-testkit` prove it.
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod error;
pub mod key_id;
pub mod key_management;
pub mod memory;
pub mod wrapped_key;
pub mod wrapping_key;

pub mod checked;
pub mod config;
pub mod providers;

pub mod key_ring;
pub mod ring_error;
pub mod ring_keeper;
pub mod ring_key;
pub mod ring_policy;
pub mod ring_signer;
pub mod ring_store;

mod ring_view;

pub use crate::checked::CheckedKeyManagement;
pub use crate::config::{InvalidKmsConfig, KmsConfig};
pub use crate::error::KmsError;
pub use crate::key_id::{KeyId, RingName};
pub use crate::key_management::{Capabilities, Health, KeyManagement};
pub use crate::key_ring::{KeyRing, Revision, RingFault};
pub use crate::memory::MemoryKeyManagement;
pub use crate::providers::{Providers, UnknownProvider};
pub use crate::ring_error::{RingError, Undeleted};
pub use crate::ring_keeper::{PublishedKeys, RingKeeper};
pub use crate::ring_key::{KeyState, RingKey};
pub use crate::ring_policy::RingPolicy;
pub use crate::ring_signer::RingSigner;
pub use crate::ring_store::{KeyRingStore, MemoryKeyRingStore};
pub use crate::wrapped_key::{InvalidWrappedKey, WrappedKey};
pub use crate::wrapping_key::WrappingKey;
