//! Verifies signed requests in axum: a tower layer, an extractor, and a restriction to named clients.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::body::{Body, to_bytes};
//! use axum::http::{Request, StatusCode};
//! use axum::routing::post;
//! use axum::Router;
//! use hmac_auth::{
//!     Credentials, MemoryCredentialStore, MemoryNonceStore, NewCredential, Signer, Verifier,
//! };
//! use hmac_auth_axum::{HmacAuthLayer, VerifiedClient};
//! use tower::ServiceExt;
//!
//! async fn greet(VerifiedClient(verified): VerifiedClient, body: String) -> String {
//!     format!("{} says {body}", verified.client_id)
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The stores: in memory here, `hmac-auth-redis` in a mesh. One client is known.
//! let store = Arc::new(MemoryCredentialStore::new());
//! let billing = Credentials::new(store.clone()).create("billing", NewCredential::generated()).await?;
//!
//! let verifier = Verifier::new(store, Arc::new(MemoryNonceStore::new()));
//! let app = Router::new()
//!     .route("/greet", post(greet))
//!     .layer(HmacAuthLayer::new(verifier));
//!
//! // Signed: the handler knows who it was, and reads the whole body.
//! let mut request = Request::post("/greet").body(Body::from("hello"))?;
//! let signer = Signer::new(billing.client_id, billing.credential.secret_hash);
//! for (name, value) in signer.sign("POST", "/greet", b"hello")?.pairs() {
//!     request.headers_mut().insert(name, value.parse()?);
//! }
//! let answer = app.clone().oneshot(request).await?;
//! assert_eq!(answer.status(), StatusCode::OK);
//! assert_eq!(to_bytes(answer.into_body(), 1024).await?, "billing says hello");
//!
//! // Unsigned: the layer answers.
//! let answer = app.oneshot(Request::post("/greet").body(Body::from("hello"))?).await?;
//! assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
//! let body = to_bytes(answer.into_body(), 1024).await?;
//! assert_eq!(body, r#"{"error":"MISSING_CLIENT_ID","message":"client id is missing"}"#);
//! # Ok(())
//! # }
//! ```
//!
//! # Four things to note
//! - **Addresses.** Allow-lists and trusted proxies need the connection's address: serve with `axum_serve::serve`, or with
//!   `axum::serve` and `app.into_make_service_with_connect_info::<SocketAddr>()`. Without it a client with an allow-list is refused
//!   `MISSING_CLIENT_IP`.
//! - **Bodies** are held in memory to be hashed, 64 KiB at most unless [`HmacAuthLayer::body_limit`] says otherwise. A
//!   request without a body is not buffered. The head is checked before the body is read, so nobody makes the server
//!   buffer without a known client id. Trailers are dropped: nothing signs them.
//! - **Nesting.** The target that was sent is verified, also inside of a nested router. Middleware that rewrites the URI
//!   before the router sees it (`NormalizePathLayer` around a `Router`) hides it: put this layer outside of that.
//! - **Some clients only**: [`RestrictToLayer`] inside of the [`HmacAuthLayer`].
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod extract;
pub mod future;
pub mod layer;
pub mod refused;
pub mod restrict;
pub mod service;

mod body;
mod head;

pub use crate::extract::VerifiedClient;
pub use crate::layer::HmacAuthLayer;
pub use crate::restrict::RestrictToLayer;
