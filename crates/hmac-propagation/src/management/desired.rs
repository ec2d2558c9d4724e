//! What a store should hold, and what says so on the wire.

use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::secret_hash::SecretHash;

/// What a store should hold for a client.
#[derive(Clone, Debug)]
pub struct DesiredRecord {
    /// The hash.
    pub secret_hash: SecretHash,
    /// The rules.
    pub allowed_ips: AllowedIps,
    /// The expiry, epoch milliseconds.
    pub expires_at: Option<i64>,
}

/// The operation on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `credential.create`
    Create,
    /// `credential.update`
    Update,
    /// `credential.delete`
    Delete,
}

impl Operation {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "credential.create",
            Self::Update => "credential.update",
            Self::Delete => "credential.delete",
        }
    }

    /// Reads the name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "credential.create" => Some(Self::Create),
            "credential.update" => Some(Self::Update),
            "credential.delete" => Some(Self::Delete),
            _ => None,
        }
    }
}
