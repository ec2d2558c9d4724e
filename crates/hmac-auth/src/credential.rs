//! A client's credential: what a store keeps and a verifier reads.

use std::fmt;

use crate::allowed_ips::AllowedIps;
use crate::secret_hash::SecretHash;

/// A client's name: 1..=128 bytes, not blank, no control characters. Every byte counts, blanks at its ends too: what reads a
/// header, whose value has none, takes them off first.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Box<str>);

/// The client id is blank, longer than 128 bytes, or holds a control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client id has 1 to 128 bytes and no control character")]
pub struct InvalidClientId;

impl ClientId {
    /// Takes a client id as it is.
    ///
    /// # Errors
    /// [`InvalidClientId`] when it is blank, longer than 128 bytes, or holds a control character.
    pub fn parse(text: &str) -> Result<Self, InvalidClientId> {
        if text.trim().is_empty() || text.len() > 128 || has_control(text) {
            return Err(InvalidClientId);
        }
        Ok(Self(text.into()))
    }

    /// Tells whether a client of this name may be made: visible ASCII characters only, which every program writes into a
    /// header alike, and which look like no other name. Names that exist already may be any.
    pub fn may_be_made(&self) -> bool {
        self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// The client id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn has_control(text: &str) -> bool {
    if text.is_ascii() {
        text.bytes().any(|byte| byte.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    }
}

/// One record of a credential store (wire contract 1.4). Times are epoch milliseconds.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Signs this client's requests.
    pub secret_hash: SecretHash,
    /// When the record was first written; 0 for a legacy record.
    pub created_at: i64,
    /// When the record was last changed; 0 for a legacy record.
    pub updated_at: i64,
    /// After this moment requests are refused; `None` is never.
    pub expires_at: Option<i64>,
    /// Where requests may come from; an empty list is everywhere.
    pub allowed_ips: AllowedIps,
}

impl Credential {
    /// Tells whether requests are refused at `now_ms` because the expiry has passed.
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_at
            .is_some_and(|expires_at| now_ms > expires_at)
    }
}

/// A part of a record that a change may leave as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Keeps the stored value (the default of a new record when there is none).
    #[default]
    Keep,
    /// Replaces the stored value.
    Set(T),
}

/// A change of one record, applied by a store as one atomic step.
#[derive(Clone, Debug, Default)]
pub struct CredentialChange {
    /// Replaces the hash; `None` keeps it. Must be given when there is no record yet.
    pub secret_hash: Option<SecretHash>,
    /// Replaces or clears the expiry.
    pub expires_at: Change<Option<i64>>,
    /// Replaces or clears the rules.
    pub allowed_ips: Change<AllowedIps>,
}

impl CredentialChange {
    /// Merges this change into `stored` (wire contract 1.5): absent parts keep the stored ones, `updated_at` becomes
    /// `now_ms`, `created_at` stays. Returns `None` when there is neither a stored record nor a hash to make one of.
    ///
    /// Every store applies exactly this, in its own words where it must (the Lua of the Redis store).
    pub fn merge(&self, stored: Option<&Credential>, now_ms: i64) -> Option<Credential> {
        let secret_hash = self
            .secret_hash
            .clone()
            .or_else(|| stored.map(|s| s.secret_hash.clone()))?;
        Some(Credential {
            secret_hash,
            created_at: stored.map_or(now_ms, |s| s.created_at),
            updated_at: now_ms,
            expires_at: match self.expires_at {
                Change::Set(expires_at) => expires_at,
                Change::Keep => stored.and_then(|s| s.expires_at),
            },
            allowed_ips: match &self.allowed_ips {
                Change::Set(rules) => rules.clone(),
                Change::Keep => stored.map(|s| s.allowed_ips.clone()).unwrap_or_default(),
            },
        })
    }
}
