//! Protects routes of actix-web with tokens: a middleware, and extractors of who called.
//!
//! ```
//! use std::sync::Arc;
//!
//! use actix_web::http::StatusCode;
//! use actix_web::test::{TestRequest, call_service, init_service};
//! use actix_web::{App, web};
//! use jwt_auth::{
//!     AccessGrant, AccessGuard, AccessTokenIssuer, AccessTokenVerifier, Algorithm, DpopVerifier, Jwks, MemoryKeySource,
//!     MemoryNonceStore, MemorySigner, PrivateKey, ReplayGuard, Scopes, Signer,
//! };
//! use jwt_auth_actix::{Access, AccessTokenAuth, Refused};
//!
//! /// The middleware has asked for `orders:read`. A handler may ask for more.
//! async fn orders(Access(caller): Access) -> Result<String, Refused> {
//!     caller.require_scope("orders:list")?;
//!     Ok(format!("orders of {}", caller.claims.client_id))
//! }
//!
//! # #[actix_web::main]
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
//! let tokens = AccessTokenAuth::new(guard);
//! let orders = web::resource("/orders").route(web::get().to(orders)).wrap(tokens);
//! let app = init_service(App::new().service(orders)).await;
//!
//! let mut grant = AccessGrant::of_client("clt_1", "https://orders.example");
//! grant.scope = Scopes::parse("orders:read orders:list")?;
//! let issuer = AccessTokenIssuer::new(Arc::new(server), "https://login.example");
//! let token = issuer.issue(grant).await?.token;
//!
//! let request = TestRequest::get().uri("/orders");
//! let authorization = ("authorization", format!("Bearer {}", token.expose()));
//! let answer = call_service(&app, request.insert_header(authorization).to_request()).await;
//! assert_eq!(answer.status(), StatusCode::OK);
//!
//! let answer = call_service(&app, TestRequest::get().uri("/orders").to_request()).await;
//! assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(answer.headers().get("www-authenticate").unwrap(), r#"Bearer, DPoP algs="EdDSA Ed25519 ES256""#);
//! # Ok(()) }
//! ```
//!
//! # Routes behind the gateway
//! An [`InternalTokenAuth`] with an [`InternalGuard`](jwt_auth::InternalGuard) takes `X-Internal-Auth`; its handlers take
//! [`Internal`]. What a token says of a request (who it comes from, what they may do, the request's name) is told by the
//! gateway, so nothing else than the gateway's key opens such a route.
//!
//! # Two things to note
//! - **Paths.** The target that was sent is verified. Middleware that rewrites the URI (`NormalizePath`) belongs inside of
//!   this one: wrap it first.
//! - **Bodies** are not looked at: a token speaks for the head of a request. Signed bodies are `hmac-auth-actix`'s.
//!
//! What is decided is decided in `jwt-auth`; `jwt-auth-axum` answers the same, byte for byte. The words of this page are
//! explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod extract;
pub mod head;
pub mod middleware;
pub mod refused;

pub use crate::extract::{Access, Internal};
pub use crate::middleware::{AccessTokenAuth, InternalTokenAuth, TokenAuth};
pub use crate::refused::Refused;
