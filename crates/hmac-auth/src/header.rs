//! The headers of a signed request: their names, and how a layer shows them to the verifier.

pub use auth_base::request::Headers;

/// Who signs.
pub const CLIENT_ID: &str = "x-client-id";
/// When, in epoch milliseconds.
pub const TIMESTAMP: &str = "x-timestamp";
/// 16 random bytes in hex, used once.
pub const NONCE: &str = "x-nonce";
/// The signature, 64 hex characters.
pub const SIGNATURE: &str = "x-signature";
/// The address chain that proxies leave.
pub const FORWARDED_FOR: &str = "x-forwarded-for";
