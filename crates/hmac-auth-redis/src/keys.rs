//! What a Redis key is called (wire contract 1.4).

use std::fmt;
use std::sync::Arc;

use hmac_auth::credential::ClientId;

/// The prefix of one set of credentials: `hmac:http` and `hmac:message` in the mesh, `hmacauth` unless told otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// Takes a namespace, without a colon at its end.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The hash that maps client ids to records: `<ns>:clients`.
    pub fn clients(&self) -> String {
        format!("{self}:clients")
    }

    /// The previous secret hash of a client: `<ns>:credentials-backup:<client>`.
    pub fn backup(&self, client_id: &ClientId) -> String {
        format!("{self}:credentials-backup:{client_id}")
    }

    /// When a client's hash changed, beside its backup: `<ns>:credentials-rotated:<client>`.
    pub fn rotated(&self, client_id: &ClientId) -> String {
        format!("{self}:credentials-rotated:{client_id}")
    }

    /// One nonce: `<ns>:nonce:<client>:<nonce>:<timestamp>`.
    pub fn nonce(&self, owner: &str, nonce: &str, timestamp_ms: i64) -> String {
        format!("{self}:nonce:{owner}:{nonce}:{timestamp_ms}")
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new("hmacauth")
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_wire_contract() {
        let namespace = Namespace::default();
        let client = ClientId::parse("billing:eu").unwrap();
        assert_eq!(namespace.clients(), "hmacauth:clients");
        assert_eq!(
            namespace.backup(&client),
            "hmacauth:credentials-backup:billing:eu"
        );
        assert_eq!(
            namespace.rotated(&client),
            "hmacauth:credentials-rotated:billing:eu"
        );
        assert_eq!(
            Namespace::new("hmac:http").nonce(client.as_str(), "n1", 17),
            "hmac:http:nonce:billing:eu:n1:17"
        );
    }
}
