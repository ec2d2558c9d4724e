//! Verifies signed requests in actix-web: a middleware, an extractor, and a restriction to named clients.
//!
//! ```
//! use std::sync::Arc;
//!
//! use actix_web::http::StatusCode;
//! use actix_web::test::{TestRequest, call_service, init_service, read_body};
//! use actix_web::{App, web};
//! use hmac_auth::{
//!     Credentials, MemoryCredentialStore, MemoryNonceStore, NewCredential, Signer, Verifier,
//! };
//! use hmac_auth_actix::{HmacAuth, VerifiedClient};
//!
//! async fn greet(VerifiedClient(verified): VerifiedClient, body: String) -> String {
//!     format!("{} says {body}", verified.client_id)
//! }
//!
//! # #[actix_web::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The stores: in memory here, `hmac-auth-redis` in a mesh. One client is known.
//! let store = Arc::new(MemoryCredentialStore::new());
//! let billing = Credentials::new(store.clone()).create("billing", NewCredential::generated()).await?;
//!
//! // Made once and cloned into each worker by `HttpServer::new(move || App::new().wrap(auth.clone()))`.
//! let auth = HmacAuth::new(Verifier::new(store, Arc::new(MemoryNonceStore::new())));
//! let app = App::new().wrap(auth.clone()).route("/greet", web::post().to(greet));
//! let app = init_service(app).await;
//!
//! // Signed: the handler knows who it was, and reads the whole body.
//! let mut request = TestRequest::post().uri("/greet").set_payload("hello");
//! let signer = Signer::new(billing.client_id, billing.credential.secret_hash);
//! for header in signer.sign("POST", "/greet", b"hello")?.pairs() {
//!     request = request.insert_header(header);
//! }
//! let answer = call_service(&app, request.to_request()).await;
//! assert_eq!(answer.status(), StatusCode::OK);
//! assert_eq!(read_body(answer).await, "billing says hello");
//!
//! // Unsigned: the middleware answers.
//! let request = TestRequest::post().uri("/greet").set_payload("hello");
//! let answer = call_service(&app, request.to_request()).await;
//! assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
//! let body = read_body(answer).await;
//! assert_eq!(body, r#"{"error":"MISSING_CLIENT_ID","message":"client id is missing"}"#);
//! # Ok(())
//! # }
//! ```
//!
//! # Things to note
//! - **Addresses.** Allow-lists see the connection's address, and trusted proxies as the verifier knows them; actix's
//!   own `realip_remote_addr`, which believes anyone, is not used.
//! - **Bodies** are held in memory to be hashed, 64 KiB at most unless [`HmacAuth::body_limit`] says otherwise. A
//!   request without a body is not buffered. The head is checked before the body is read, so nobody makes the server
//!   buffer without a known client id.
//! - **Rewriting.** The target that was sent is verified, also inside of a scope. Middleware that rewrites the URI
//!   (`NormalizePath`) hides it: wrap with that first and with [`HmacAuth`] after it, so that this one runs before.
//! - **Upgrades.** A request that asks for another protocol is verified and handed on without what follows its head: no
//!   WebSocket handler can stand behind the middleware. Let it verify a request of its own that gives out a ticket.
//! - **Escapes.** actix decodes a path before it looks for its route: `/%67reet` is `/greet`, and a rule of a proxy in front
//!   does not see it. `mesh_management_actix::edge` makes it look for what was sent, as axum does.
//! - **Some clients only**: wrap with [`RestrictTo`] inside of [`HmacAuth`].
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod extract;
pub mod middleware;
pub mod refused;
pub mod restrict;

mod body;
mod head;

pub use crate::extract::VerifiedClient;
pub use crate::middleware::HmacAuth;
pub use crate::restrict::RestrictTo;
