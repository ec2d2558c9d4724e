//! Sends signed requests over a `reqwest` client that the application chooses.
//!
//! ```
//! use hmac_auth::{ClientId, Secret, Signer, hash_client_secret};
//! use hmac_auth_client::{Blame, ClientError, RetryPolicy, SignedClient};
//! # use axum::http::HeaderMap;
//!
//! # // A peer for this page; how a real one verifies stands in `hmac-auth-axum` and `hmac-auth-actix`.
//! # async fn peer(headers: HeaderMap, body: String) -> String {
//! #     let signed = headers.contains_key("x-signature") && headers.contains_key("x-nonce");
//! #     format!("{} {signed} {body}", headers["x-client-id"].to_str().unwrap())
//! # }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # // Elsewhere in the workspace reqwest is built with TLS and leaves the choice of its provider to the program.
//! # rustls::crypto::ring::default_provider().install_default().ok();
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let peer_url = format!("http://{}", listener.local_addr()?);
//! # let app = axum::Router::new().route("/orders", axum::routing::post(peer));
//! # tokio::spawn(async move { axum::serve(listener, app).await });
//! let hash = hash_client_secret(&Secret::new("0123456789abcdef0123456789abcdef"), None);
//! let signer = Signer::new(ClientId::parse("billing")?, hash);
//! let client = SignedClient::build(reqwest::Client::builder(), signer)?
//!     .retry(RetryPolicy::default().attempts(2));
//!
//! let answer = client
//!     .post(format!("{peer_url}/orders"))?
//!     .header("x-request-id", "7")
//!     .json(&[1, 2])
//!     .send_accepted()
//!     .await?;
//! assert_eq!(answer.text().await?, "billing true [1,2]");
//!
//! // An error says who is to blame.
//! let error = client.get("ftp://example.org/").unwrap_err();
//! assert!(matches!(error, ClientError::UnsignableUrl { .. }));
//! assert_eq!(error.blame(), Blame::Caller);
//! # Ok(())
//! # }
//! ```
//!
//! # Five things to note
//! - **What is sent is what is signed**: the path and query of the final URL, and the bytes of the body. A streaming
//!   body is refused.
//! - **A nonce is used once**: every attempt is signed anew ([`RetryPolicy`]).
//! - **Redirects are not followed**, for a signature is made for one path: a 3xx is an answer like any other.
//!   [`SignedClient::build`] sees to it; a client given to [`SignedClient::new`] must be built with
//!   `redirect::Policy::none()` and, where HTTP/2 is on, `retry::never()`.
//! - **A rotation refuses nobody**: after [`SignedClient::switch_to`] both secrets count for a while, so the switch may come
//!   before a peer has heard of the new one.
//! - **TLS** is the application's choice: this crate turns on no feature of `reqwest`.
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod client;
pub mod error;
pub mod request;
pub mod retry;

mod refusal;
mod sender;
mod signers;

pub use crate::client::SignedClient;
pub use crate::error::{Blame, ClientError};
pub use crate::retry::RetryPolicy;
