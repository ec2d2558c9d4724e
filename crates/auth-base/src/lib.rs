//! What every family of crates stands on: time and randomness as arguments, secrets that do not show themselves, the URLs of
//! servers, the head of a request, texts for people to read, what a store may fail with, and the store of nonces that guards
//! against replay.
//!
//! This crate does no I/O and knows no web framework, no database's client and no protocol.
//!
//! # Who should depend on it
//! Who writes a contract crate or a backend. An application meets these types through the crate that it uses, such as
//! `hmac-auth`, which re-exports what its users need.
//!
//! ```
//! use std::time::Duration;
//!
//! use auth_base::{Backoff, Clock, ManualClock, MemoryNonceStore, NonceStore, Secret};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Time stands still until the test moves it.
//! let clock = ManualClock::new(1_000);
//! clock.advance(500);
//! assert_eq!(clock.now_ms(), 1_500);
//!
//! // A secret never reaches a log.
//! assert_eq!(format!("{:?}", Secret::new("plain")), "Secret(redacted)");
//!
//! // A nonce is fresh once.
//! let nonces = MemoryNonceStore::new();
//! let ttl = Duration::from_secs(300);
//! assert!(nonces.remember("orders", "n1", 1_500, ttl).await?);
//! assert!(!nonces.remember("orders", "n1", 1_500, ttl).await?);
//!
//! // Pauses between attempts double up to a bound.
//! let backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(150));
//! assert_eq!([0, 1, 2].map(|failures| backoff.pause(failures).as_millis()), [50, 100, 150]);
//! # Ok(()) }
//! ```
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod clock;
pub mod random;
pub mod request;
pub mod secret;
pub mod server_url;
pub mod text;

pub mod network;
pub mod nonce_store;
pub mod store_error;

pub mod backoff;
pub mod error_chain;

pub use crate::backoff::Backoff;
pub use crate::clock::{Clock, ManualClock, SystemClock};
pub use crate::error_chain::chain;
pub use crate::nonce_store::{MemoryNonceStore, NonceStore};
pub use crate::random::{Random, SystemRandom};
pub use crate::request::Headers;
pub use crate::secret::Secret;
pub use crate::store_error::StoreError;
