//! Secrets at rest: AES-256-GCM, each value bound to its place in a database, under keys that can be changed.
//!
//! A sealed value is the base64 of `version (1) | key id (4) | nonce (12) | ciphertext and tag`. The version, the key id and
//! the value's place are authenticated with it, so that a value copied to another row does not open.
//!
//! ```
//! use std::sync::Arc;
//!
//! use auth_base::SystemRandom;
//! use secrets_at_rest::{SecretsKey, Vault};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SecretsKey::new([7; 32]);
//! let vault = Vault::new(&key, b"an example key id\0", Arc::new(SystemRandom));
//! let sealed = vault.seal(&["accounts.phone", "42"], b"+49 30 1234")?;
//! assert_eq!(vault.open(&["accounts.phone", "42"], &sealed)?.as_slice(), b"+49 30 1234");
//! assert!(vault.open(&["accounts.phone", "43"], &sealed).is_err());
//! # Ok(()) }
//! ```
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod key;
pub mod reseal;
pub mod vault;

pub use crate::key::{InvalidSecretsKey, SecretsKey};
pub use crate::reseal::Resealed;
pub use crate::vault::{OpenError, Resealing, SealError, Vault};
