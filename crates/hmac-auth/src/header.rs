//! The headers of a signed request: their names, and how a layer shows them to the verifier.

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

/// Reads header values; a thin view over the framework's own map.
pub trait Headers {
    /// Returns the values of header `name` (lower case), in order, as raw bytes.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;
}

/// Plain (name, value) pairs, for tests and for transports that have no map.
impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for Vec<(N, V)> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        values_of(self, name)
    }
}

/// The pairs of [`crate::sign::SignedHeaders::pairs`], as they are.
impl<N: AsRef<str>, V: AsRef<[u8]>, const LENGTH: usize> Headers for [(N, V); LENGTH] {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        values_of(self, name)
    }
}

fn values_of<'a, N: AsRef<str>, V: AsRef<[u8]>>(
    pairs: &'a [(N, V)],
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    pairs
        .iter()
        .filter(move |(own, _)| own.as_ref().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_ref())
}
