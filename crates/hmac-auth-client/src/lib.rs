//! Outbound signed HTTP client.

pub mod client;
pub mod error;
pub mod request;
pub mod retry;

pub use crate::client::SignedClient;
pub use crate::error::ClientError;
pub use crate::retry::RetryPolicy;
