//! Key management over HTTP.
//!
//! - [`HttpKms`] speaks the HTTP contract of a key server (`docs/kms.md`), and proves who it is in one of four ways: not at
//!   all, by a token, by a token that it fetches, by a certificate.
//! - [`TransitKms`] speaks to the Transit engine of Vault and OpenBao.
//!
//! Both translate, and decide nothing about keys: wrap them in [`kms::Providers`], which believes no answer.
//!
//! ```no_run
//! use kms::{KmsConfig, Providers};
//!
//! # fn start(json: &[u8]) -> Result<Providers, Box<dyn std::error::Error>> {
//! let config = KmsConfig::parse(json, &|_| None)?;
//! let mut providers = Providers::new();
//! for provider in config.providers {
//!     if let Some(remote) = kms_http::provider(&provider)? {
//!         providers = providers.with(&provider.id, remote)?;
//!     }
//! }
//! # Ok(providers) }
//! ```
//!
//! # The rules
//! - Two seconds to connect, ten for a call with everything in it. One more attempt when there was no connection, or the
//!   answer is 502, 503 or 504.
//! - A redirect is not followed. An answer has a bound in bytes.
//! - Certificates and keys of clients are read again when their files change; the next connection uses them.
//! - TLS is rustls on ring, whatever else the process has installed.
//! - Errors begin with `HttpKmsAdapter[{id}]: ` and show no credential.

pub mod error;
pub mod http_kms;
pub mod provider;
pub mod transit;

mod authentication;
mod certificates;
mod transport;
mod wire;

pub use crate::error::HttpKmsError;
pub use crate::http_kms::HttpKms;
pub use crate::provider::provider;
pub use crate::transit::TransitKms;
