//! Protects routes of axum with tokens: a tower layer, and extractors of who called.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use axum::body::Body;
//! use axum::http::{Request, StatusCode};
//! use axum::routing::get;
//! use jwt_auth::{
//!     AccessGrant, AccessGuard, AccessTokenIssuer, AccessTokenVerifier, Algorithm, DpopVerifier, Jwks, MemoryKeySource,
//!     MemoryNonceStore, MemorySigner, PrivateKey, ReplayGuard, Scopes, Signer,
//! };
//! use jwt_auth_axum::{Access, AccessTokenLayer, Refused};
//! use tower::ServiceExt;
//!
//! /// The layer has asked for `orders:read`. A handler may ask for more.
//! async fn orders(Access(caller): Access) -> Result<String, Refused> {
//!     caller.require_scope("orders:list")?;
//!     Ok(format!("orders of {}", caller.claims.client_id))
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The authorization server's keys: here in memory, and its private half with them.
//! let server = MemorySigner::new(&PrivateKey::generate(Algorithm::EdDsa)?)?;
//! let keys = Arc::new(MemoryKeySource::new(Jwks::new([server.key().clone()])));
//!
//! // Who shares the store of `jti` shares the memory of used proofs.
//! let replay = ReplayGuard::new(Arc::new(MemoryNonceStore::new()));
//! let verifier = AccessTokenVerifier::new(
//!     keys,
//!     DpopVerifier::new(replay),
//!     "https://login.example",
//!     "https://orders.example",
//! );
//! let guard = AccessGuard::new(verifier, "https://orders.example")?.scope("orders:read");
//! let app = Router::new()
//!     .route("/orders", get(orders))
//!     .layer(AccessTokenLayer::new(guard));
//!
//! let mut grant = AccessGrant::of_client("clt_1", "https://orders.example");
//! grant.scope = Scopes::parse("orders:read orders:list")?;
//! let issuer = AccessTokenIssuer::new(Arc::new(server), "https://login.example");
//! let token = issuer.issue(grant).await?.token;
//! let call = |authorization: Option<String>| {
//!     let request = Request::get("/orders");
//!     match authorization {
//!         Some(value) => request.header("authorization", value).body(Body::empty()),
//!         None => request.body(Body::empty()),
//!     }
//! };
//!
//! let answer = app.clone().oneshot(call(Some(format!("Bearer {}", token.expose())))?).await?;
//! assert_eq!(answer.status(), StatusCode::OK);
//!
//! let answer = app.oneshot(call(None)?).await?;
//! assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(answer.headers()["www-authenticate"], r#"Bearer, DPoP algs="EdDSA Ed25519 ES256""#);
//! # Ok(()) }
//! ```
//!
//! # Routes behind the gateway
//! An [`InternalTokenLayer`] with an [`InternalGuard`](jwt_auth::InternalGuard) takes `X-Internal-Auth`; its handlers take
//! [`Internal`]. What a token says of a request (who it comes from, what they may do, the request's name) is told by the
//! gateway, so nothing else than the gateway's key opens such a route.
//!
//! # Two things to note
//! - **Nesting.** The target that was sent is verified, also inside of a nested router. Middleware that rewrites the URI
//!   before the router sees it (`NormalizePathLayer` around a `Router`) hides it: put this layer outside of that.
//! - **Bodies** are not looked at: a token speaks for the head of a request. Signed bodies are `hmac-auth-axum`'s.
//!
//! What is decided is decided in `jwt-auth`; `jwt-auth-actix` answers the same, byte for byte. The words of this page are
//! explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod extract;
pub mod head;
pub mod layer;
pub mod refused;

pub use crate::extract::{Access, Internal};
pub use crate::layer::{AccessTokenLayer, InternalTokenLayer, TokenLayer};
pub use crate::refused::Refused;
