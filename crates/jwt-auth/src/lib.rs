//! Tokens that services prove themselves with: which are genuine, who is let in, and why not.
//!
//! This crate is the contract of the front door, as `hmac-auth` is that of signed requests. It does no I/O and names no
//! framework, no HTTP client and no database, so that every adapter decides alike.
//!
//! ```text
//!   client                     authorization server                 service
//!     |  client assertion, proof        |                              |
//!     |-------------------------------->|  AccessTokenIssuer           |
//!     |         access token            |                              |
//!     |<--------------------------------|------- key set (Jwks) ------>|
//!     |  access token, proof                                           |
//!     |--------------------------------------------------------------->|  AccessTokenVerifier
//!
//!   anybody ---> gateway (InternalTokenIssuer) --- internal token ---> service (InternalTokenVerifier)
//! ```
//!
//! # The rules
//! - A token is of one kind, told by `typ`, and opens no door of another ([`token_kind`]).
//! - There are two algorithms, Ed25519 and ECDSA on P-256, and a token is signed with that of its key. `none` and HMAC cannot
//!   be said ([`algorithm`]).
//! - A header and its claims can be read in one way only: no member twice, no `crit`, no `b64` ([`open`](mod@open)).
//! - A public key has no private member, and a private key is never shown ([`public_jwk`], [`private_key`]).
//! - Whatever comes is bounded in bytes before it is parsed, and what is no good is refused: no input panics.
//! - The store is asked last. Nothing is accepted when a store fails.
//! - No error and no `Debug` shows a token, a proof or a key.
//!
//! # A whole program
//! ```
//! use std::sync::Arc;
//!
//! use jwt_auth::{
//!     AccessGrant, AccessRequest, AccessTokenIssuer, AccessTokenVerifier, Algorithm, DpopProver, DpopVerifier, Htu, Jwks,
//!     MemoryKeySource, MemoryNonceStore, MemorySigner, PrivateKey, ProvenRequest, ReplayGuard, Scopes, Signer,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The authorization server has a key, and publishes the public half.
//! let server = MemorySigner::new(&PrivateKey::generate(Algorithm::EdDsa)?)?;
//! let published = Jwks::new([server.key().clone()]);
//! let issuer = AccessTokenIssuer::new(Arc::new(server), "https://login.example");
//!
//! // The client has a key of its own. Its token is bound to it.
//! let client = DpopProver::new(Arc::new(MemorySigner::new(&PrivateKey::generate(Algorithm::Es256)?)?));
//! let mut grant = AccessGrant::of_client("clt_1", "https://orders.example");
//! grant.scope = Scopes::parse("orders:read")?;
//! grant.bound_to = Some(client.key().clone());
//! let issued = issuer.issue(grant).await?;
//!
//! // It calls the service with the token and a proof for this one request.
//! let authorization = format!("DPoP {}", issued.token.expose());
//! let proof = client
//!     .prove(ProvenRequest {
//!         method: "GET",
//!         url: "https://orders.example/orders?page=2",
//!         access_token: Some(&issued.token),
//!         nonce: None,
//!     })
//!     .await?;
//!
//! // The service knows the published keys, and the URL under which it is called.
//! let replay = ReplayGuard::new(Arc::new(MemoryNonceStore::new()));
//! let verifier = AccessTokenVerifier::new(
//!     Arc::new(MemoryKeySource::new(published)),
//!     DpopVerifier::new(replay),
//!     "https://login.example",
//!     "https://orders.example",
//! );
//! let request = AccessRequest {
//!     authorization: &[authorization.as_bytes()],
//!     proofs: &[proof.expose().as_bytes()],
//!     method: "GET",
//!     url: &Htu::of_request("https://orders.example", "/orders?page=2")?,
//! };
//! let context = verifier.verify(request).await?;
//! assert_eq!(context.claims.client_id, "clt_1");
//! context.require_scope("orders:read")?;
//!
//! // The same proof a second time, and the token without one, are refused.
//! let replayed = verifier.verify(request).await.unwrap_err();
//! assert_eq!(replayed.code_and_status(), (Some("invalid_dpop_proof"), 401));
//! let bearer = format!("Bearer {}", issued.token.expose());
//! let downgraded = AccessRequest { authorization: &[bearer.as_bytes()], ..request };
//! assert_eq!(verifier.verify(downgraded).await.unwrap_err().code(), Some("invalid_token"));
//! # Ok(()) }
//! ```
//!
//! # How the parts fit
//! | to | take |
//! |---|---|
//! | open or seal a token of any kind | [`open`](mod@open), [`seal`](mod@seal) |
//! | issue or verify access tokens | [`access_token`] |
//! | issue or verify internal tokens | [`internal_token`] |
//! | prove or verify who a client is | [`client_assertion`] |
//! | make or verify proofs | [`dpop`] |
//! | protect routes, or write a web framework's layer | `jwt-auth-axum`, `jwt-auth-actix`; [`guard`] |
//! | read a key from a variable | [`pem`] |
//! | publish or fetch keys | [`jwks`], [`cached_keys`] |
//! | sign with a key that is elsewhere, find keys elsewhere | *Implementing*, below |
//!
//! # What it does not do
//! No session, no refresh token, no login, no encryption (JWE), no RSA. It fetches nothing itself: what fetches a remote key
//! set is a [`JwksFetch`] of another crate, and [`CachedKeySource`] says when.
//!
//! # Implementing
//! Two seams are to be filled: [`Signer`] (a private key that is elsewhere) and [`KeySource`] (public keys that are). Both are
//! dyn-safe. A signer outside this process is wrapped in [`CheckedSigner`], which believes nothing.
//!
//! ```
//! use async_trait::async_trait;
//! use jwt_auth::{CheckedSigner, PublicJwk, SignError, Signer};
//!
//! struct Vault {
//!     key: PublicJwk,
//! }
//!
//! #[async_trait]
//! impl Signer for Vault {
//!     fn key(&self) -> &PublicJwk {
//!         &self.key
//!     }
//!
//!     async fn sign(&self, input: &[u8]) -> Result<[u8; 64], SignError> {
//!         // Asks the vault here, with a timeout.
//! #       let _ = input;
//!         Err(SignError::Unavailable("the vault is sealed".into()))
//!     }
//! }
//!
//! fn signer(key: PublicJwk) -> impl Signer {
//!     CheckedSigner::new(Vault { key })
//! }
//! ```
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod access_token;
pub mod client_assertion;
pub mod dpop;
pub mod guard;
pub mod internal_token;

pub mod open;
pub mod open_error;
pub mod seal;
pub mod token_kind;

pub mod authorization;
pub mod claims;
mod compact;
mod encoding;
mod mint;
mod strict_json;

pub mod algorithm;
mod der;
pub mod jwks;
pub mod pem;
pub mod private_key;
pub mod public_jwk;

pub mod cached_keys;
pub mod key_source;
pub mod replay;
pub mod signer;

pub use auth_base::clock::{Clock, SystemClock};
pub use auth_base::nonce_store::{MemoryNonceStore, NonceStore};
pub use auth_base::secret::Secret;
pub use auth_base::store_error::StoreError;

pub use crate::access_token::{
    AccessContext, AccessGrant, AccessRejection, AccessRequest, AccessTokenIssuer,
    AccessTokenVerifier,
};
pub use crate::algorithm::Algorithm;
pub use crate::cached_keys::{CachedKeySource, JwksFetch, KeyCacheOptions};
pub use crate::claims::Scopes;
pub use crate::client_assertion::{ClientAssertionVerifier, ClientAssertions, PendingAssertion};
pub use crate::dpop::{
    DpopError, DpopNonces, DpopProver, DpopVerifier, Htu, ProofPurpose, ProofRequest, ProvenRequest,
};
pub use crate::guard::{AccessGuard, Guard, InternalGuard, Refusal};
pub use crate::internal_token::{
    InternalContext, InternalGrant, InternalRejection, InternalRequest, InternalTokenIssuer,
    InternalTokenVerifier, SubjectKind,
};
pub use crate::jwks::Jwks;
pub use crate::key_source::{KeySource, MemoryKeySource};
pub use crate::open::open;
pub use crate::open_error::OpenError;
pub use crate::pem::{read_private_key, read_public_key};
pub use crate::private_key::PrivateKey;
pub use crate::public_jwk::PublicJwk;
pub use crate::replay::ReplayGuard;
pub use crate::seal::{SealError, seal};
pub use crate::signer::{CheckedSigner, MemorySigner, SignError, Signer};
pub use crate::token_kind::TokenKind;
