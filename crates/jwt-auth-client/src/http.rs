//! Which HTTP client sends.

use std::error::Error;

/// Tells the HTTP client of the moment: one that never changes, or one that is made anew when certificates change.
///
/// # Contract
/// A client follows no redirect (`redirect::Policy::none()`) and has a limit for connecting.
pub trait HttpClients: Send + Sync + 'static {
    /// The client to send with now.
    ///
    /// # Errors
    /// Why there is none, for instance that a certificate cannot be read.
    fn client(&self) -> Result<reqwest::Client, Box<dyn Error + Send + Sync>>;
}

impl HttpClients for reqwest::Client {
    fn client(&self) -> Result<reqwest::Client, Box<dyn Error + Send + Sync>> {
        Ok(self.clone())
    }
}
