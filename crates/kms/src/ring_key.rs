//! One key of a ring, and what it can become.
//!
//! ```text
//!   Pending ----> Active ----> Retiring ----> Deleting ----> (gone)
//!      |             |             |             ^
//!      +-------------+-------------+-- revoked --+
//! ```

use jwt_auth::PublicJwk;

use crate::key_id::KeyId;
use crate::ring_policy::RingPolicy;

/// Where a key is in its life. All times are epoch milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and not signing yet: verifiers get to know it first.
    Pending {
        /// Since when the ring's store holds it.
        since_ms: i64,
    },
    /// Published and signing. A ring has one at most.
    Active {
        /// Since when it signs.
        since_ms: i64,
    },
    /// Published, and signing no more: what it signed is still valid.
    Retiring {
        /// Since when it is no longer the active one.
        since_ms: i64,
        /// When the last token that it signed has expired.
        until_ms: i64,
    },
    /// Retired: not published, and to be deleted at its provider. It stays until the provider has confirmed that.
    Deleting {
        /// Since when it is retired.
        since_ms: i64,
    },
}

impl KeyState {
    /// The name of the state: `pending`, `active`, `retiring` or `deleting`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Active { .. } => "active",
            Self::Retiring { .. } => "retiring",
            Self::Deleting { .. } => "deleting",
        }
    }

    /// When the state began, in epoch milliseconds.
    pub const fn since_ms(self) -> i64 {
        match self {
            Self::Pending { since_ms }
            | Self::Active { since_ms }
            | Self::Retiring { since_ms, .. }
            | Self::Deleting { since_ms } => since_ms,
        }
    }

    /// Until when a retiring key is published.
    pub const fn until_ms(self) -> Option<i64> {
        match self {
            Self::Retiring { until_ms, .. } => Some(until_ms),
            _ => None,
        }
    }

    /// Reads a state as it was stored: its name, its beginning, and the end of a retiring one.
    pub fn from_parts(name: &str, since_ms: i64, until_ms: Option<i64>) -> Option<Self> {
        match (name, until_ms) {
            ("pending", None) => Some(Self::Pending { since_ms }),
            ("active", None) => Some(Self::Active { since_ms }),
            ("retiring", Some(until_ms)) => Some(Self::Retiring { since_ms, until_ms }),
            ("deleting", None) => Some(Self::Deleting { since_ms }),
            _ => None,
        }
    }
}

/// A key of a ring. It is called by the thumbprint of its public half (RFC 7638), everywhere but at its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingKey {
    /// The public half. Its `kid` is its thumbprint.
    pub public: PublicJwk,
    /// Which provider of `kms.json` holds the private half.
    pub provider: String,
    /// What the provider calls it.
    pub external_id: KeyId,
    /// Where it is in its life.
    pub state: KeyState,
}

impl RingKey {
    /// What headers and key sets call it: the thumbprint.
    pub fn kid(&self) -> &str {
        self.public.thumbprint()
    }

    /// Tells whether verifiers are to know it now.
    pub fn is_published(&self, now_ms: i64) -> bool {
        match self.state {
            KeyState::Pending { .. } | KeyState::Active { .. } => true,
            KeyState::Retiring { until_ms, .. } => now_ms < until_ms,
            KeyState::Deleting { .. } => false,
        }
    }

    /// Tells whether it may sign now. A key that was active a moment ago may: a replica may not have read of the change, and
    /// what it signs is waited for.
    pub fn may_sign(&self, now_ms: i64, policy: &RingPolicy) -> bool {
        match self.state {
            KeyState::Active { .. } => true,
            KeyState::Retiring { since_ms, .. } => {
                let first = since_ms.saturating_sub(policy.leeway_ms());
                (first..since_ms.saturating_add(policy.view_ms())).contains(&now_ms)
            }
            KeyState::Pending { .. } | KeyState::Deleting { .. } => false,
        }
    }

    /// Pending becomes active; every other key stays what it is.
    pub(crate) fn activated(self, now_ms: i64) -> Self {
        match self.state {
            KeyState::Pending { .. } => self.in_state(KeyState::Active { since_ms: now_ms }),
            _ => self,
        }
    }

    /// Active becomes retiring; every other key stays what it is.
    pub(crate) fn superseded(self, now_ms: i64, policy: &RingPolicy) -> Self {
        match self.state {
            KeyState::Active { .. } => self.in_state(KeyState::Retiring {
                since_ms: now_ms,
                until_ms: now_ms.saturating_add(policy.retire_after_ms()),
            }),
            _ => self,
        }
    }

    /// Retiring becomes deleting when its time is over; every other key stays what it is.
    pub(crate) fn retired(self, now_ms: i64) -> Self {
        match self.state {
            KeyState::Retiring { until_ms, .. } if until_ms <= now_ms => {
                self.in_state(KeyState::Deleting { since_ms: now_ms })
            }
            _ => self,
        }
    }

    /// Whatever it was, it is not published from now on.
    pub(crate) fn revoked(self, now_ms: i64) -> Self {
        match self.state {
            KeyState::Deleting { .. } => self,
            _ => self.in_state(KeyState::Deleting { since_ms: now_ms }),
        }
    }

    fn in_state(self, state: KeyState) -> Self {
        Self { state, ..self }
    }
}
