//! HMAC-signed requests and messages: which bytes are signed, who is accepted, and why not.
//!
//! This crate is the contract. It does no I/O and names no framework and no database, so that every adapter (axum, actix,
//! Redis, the outbound client) decides alike: the wire is the one of the original Node implementation, byte for byte.
//!
//! # Who should depend on it
//! - Whoever writes an adapter: a layer for another web framework, a store for another database.
//! - Whoever signs or verifies without a framework, or manages credentials.
//! - An application that serves HTTP rather takes `hmac-auth-axum` or `hmac-auth-actix`, one that calls takes
//!   `hmac-auth-client`; they bring this crate along.
//!
//! # A whole program
//! ```
//! use std::sync::Arc;
//!
//! use hmac_auth::{
//!     Credentials, MemoryCredentialStore, MemoryNonceStore, NewCredential, RequestHead, Signer, Verifier,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The server keeps credentials, here in memory, and makes one for a client.
//! let store = Arc::new(MemoryCredentialStore::new());
//! let issued = Credentials::new(store.clone()).create("orders", NewCredential::generated()).await?;
//!
//! // The client signs what it sends.
//! let signer = Signer::new(issued.client_id, issued.credential.secret_hash);
//! let body = br#"{"item":"book"}"#;
//! let signed = signer.sign("POST", "/orders?notify=1", body)?;
//!
//! // The server verifies what it received.
//! let verifier = Verifier::new(store, Arc::new(MemoryNonceStore::new()));
//! let headers = signed.pairs();
//! let head = RequestHead {
//!     method: "POST",
//!     target: "/orders?notify=1",
//!     headers: &headers,
//!     peer_address: Some("127.0.0.1".parse()?),
//! };
//! let verified = verifier.verify(head, body).await?;
//! assert_eq!(verified.client_id.as_str(), "orders");
//!
//! // The same request a second time, and another body under the same signature, are refused.
//! let replayed = verifier.verify(head, body).await.unwrap_err();
//! assert_eq!(replayed.code_and_status(), ("REPLAYED_NONCE", 401));
//! let forged = verifier.verify(head, b"{}").await.unwrap_err();
//! assert_eq!(forged.code(), "BAD_SIGNATURE");
//! # Ok(()) }
//! ```
//!
//! # How the parts fit
//! | to | take |
//! |---|---|
//! | sign a request | [`sign::Signer`] |
//! | verify one | [`verify::Verifier`], over a [`CredentialStore`] and a [`NonceStore`] |
//! | know why it was refused | [`rejection::Rejection`]: wire code, status, body |
//! | make, rotate, revert, delete clients | [`credentials::Credentials`] |
//! | restrict a client to addresses | [`allowed_ips::AllowedIps`]; behind a proxy, [`client_address::TrustedProxies`] |
//! | sign or verify messages that are no requests | the crate `hmac-message` |
//! | write a web framework's layer | [`header::Headers`], [`layer`] |
//! | write a store | [`credential_store`], with [`record`] for the JSON and [`memory`] as the model |
//!
//! # Rotation without refusals
//! With [`verify::Verifier::rotation_grace`] the secret before the last change is still accepted for a while, so that a
//! client may switch at any moment. [`verify::Verified::secret_used`] tells which one signed,
//! [`verify::Verifier::previous_secret_use`] when the old one was last seen, and
//! [`credentials::Credentials::retire_previous`] ends the overlap at once.
//!
//! # Secrets
//! [`Secret`] and [`SecretHash`] never show themselves, are compared in constant time only, and are wiped
//! when dropped. The hash signs requests, so it is as precious as the secret it was made of.
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod sign;
pub mod verify;

pub mod rejection;

pub mod credential;
pub mod credentials;
pub mod secret_hash;

pub mod allowed_ips;
pub mod client_address;
mod nonce_budget;
pub mod previous_use;

pub mod canonical;
pub mod header;
pub mod signed_head;

pub mod credential_store;
pub mod memory;
pub mod record;

pub mod layer;

pub use auth_base::clock::{Clock, SystemClock};
pub use auth_base::nonce_store::{MemoryNonceStore, NonceStore};
pub use auth_base::secret::Secret;
pub use auth_base::store_error::StoreError;

pub use crate::allowed_ips::AllowedIps;
pub use crate::credential::{Change, ClientId, Credential, CredentialChange};
pub use crate::credential_store::CredentialStore;
pub use crate::credentials::{Credentials, NewCredential};
pub use crate::layer::OnlyClients;
pub use crate::memory::MemoryCredentialStore;
pub use crate::rejection::Rejection;
pub use crate::secret_hash::{SecretHash, hash_client_secret};
pub use crate::sign::Signer;
pub use crate::verify::{RequestHead, Verified, Verifier};
