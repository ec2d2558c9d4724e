//! Access tokens for services that call other services: fetched once, kept until shortly before they expire.
//!
//! [`TokenClient`] asks a token endpoint for tokens of the grant `client_credentials` (RFC 6749, section 4.4), as
//! `client_secret_post`. However many callers want the same token at once, one request is sent, and all get its answer. What
//! fails is told to all who waited, and is not kept.
//!
//! ```no_run
//! use jwt_auth_client::{HttpClient, Secret, TokenClient, TokenRequest};
//!
//! # async fn call() -> Result<(), Box<dyn std::error::Error>> {
//! let http = HttpClient::new(reqwest::Client::builder())?;
//! let client = TokenClient::new("https://login.example", "clt_1", Secret::new("secret"), http)?;
//! let wanted = TokenRequest::default().scope("orders:read");
//! let token = client.token(&wanted).await?;
//! println!("expires at {}", token.expires_at_ms());
//!
//! // The service answered 401: the token is given up, and fetched again once for all callers. A young one is not.
//! match client.token_instead_of(&token, &wanted).await? {
//!     Some(another) => println!("expires at {}", another.expires_at_ms()),
//!     None => println!("the service refuses us"),
//! }
//! # Ok(()) }
//! ```
//!
//! # The rules
//! - A token's life is counted from before it was asked for.
//! - It is renewed [`TokenClient::refresh_skew`] before it expires, and never earlier than in the last quarter of its life.
//! - A token that a service refuses is replaced once it is [`TokenClient::COOL_DOWN`] old: who refuses every token causes one
//!   request in that time, not one with every call.
//! - An answer without `access_token`, or of another type than `Bearer`, is an error, also with status 200.
//! - A redirect is not followed: credentials go to the configured address only. Without TLS they go to this machine only,
//!   unless [`TokenClient::allow_plain`] says otherwise.
//! - No error and no `Debug` shows a secret or a token.
//!
//! # What it does not do yet
//! No discovery, no Basic, no `private_key_jwt`, no DPoP.

pub mod access_token;
pub mod http;
pub mod token_client;
pub mod token_error;
pub mod token_request;

mod answer;

pub use auth_base::clock::{Clock, SystemClock};
pub use auth_base::secret::Secret;

pub use crate::access_token::AccessToken;
pub use crate::http::{HttpClient, HttpClients};
pub use crate::token_client::TokenClient;
pub use crate::token_error::TokenError;
pub use crate::token_request::TokenRequest;
