//! Which HTTP client sends.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::ClientBuilder;
use reqwest::redirect::Policy;
use rustls::crypto::{CryptoProvider, ring};

use crate::token_error::TokenError;

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Tells the HTTP client of the moment: one that never changes, or one that is made anew when certificates change.
///
/// # Contract
/// A client follows no redirect (`redirect::Policy::none()`): a redirect with 307 would send the secret on. It has a limit for
/// connecting. It comes at once: reading files is not waited for without a bound. [`HttpClient`] is one.
#[async_trait]
pub trait HttpClients: Send + Sync + 'static {
    /// The client to send with now.
    ///
    /// # Errors
    /// Why there is none, for instance that a certificate cannot be read.
    async fn client(&self) -> Result<reqwest::Client, Box<dyn Error + Send + Sync>>;
}

/// A client that never changes. It keeps the contract, whatever its builder was told.
#[derive(Clone, Debug)]
pub struct HttpClient(reqwest::Client);

impl HttpClient {
    /// Builds a client that follows no redirect, sends nothing again by itself, and has a limit of 2 s for connecting. TLS,
    /// proxies and the rest are as `builder` says.
    ///
    /// Where the program has installed no provider of cryptography for rustls, it is ring from now on: with its feature
    /// `rustls-no-provider`, reqwest panics without one.
    ///
    /// # Errors
    /// [`TokenError::Client`] when TLS cannot be set up.
    pub fn new(builder: ClientBuilder) -> Result<Self, TokenError> {
        if CryptoProvider::get_default().is_none() {
            // Somebody else may have been faster. Then it is theirs.
            let _ = ring::default_provider().install_default();
        }
        let builder = builder
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_LIMIT)
            .referer(false);
        let client = builder.build();
        client
            .map(Self)
            .map_err(|error| TokenError::Client(Box::new(error)))
    }
}

#[async_trait]
impl HttpClients for HttpClient {
    async fn client(&self) -> Result<reqwest::Client, Box<dyn Error + Send + Sync>> {
        Ok(self.0.clone())
    }
}
