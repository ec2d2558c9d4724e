//! When the keys of a ring change.

use std::time::Duration;

use jwt_auth::Algorithm;

/// When the keys of a ring change, and what a new one is.
#[derive(Clone, Debug)]
pub struct RingPolicy {
    /// The algorithm of new keys (EdDSA).
    pub algorithm: Algorithm,
    /// Which provider makes new keys; the default one of `kms.json` unless set.
    pub provider: Option<String>,
    /// How long a key signs before the next one is made; `None` is until somebody asks (30 days).
    pub rotate_every: Option<Duration>,
    /// How long verifiers may keep a key set: its `max-age` (300 s).
    pub jwks_max_age: Duration,
    /// The longest life of a token that is signed with the ring (15 min).
    pub token_life: Duration,
    /// By how much clocks may differ (60 s).
    pub leeway: Duration,
    /// How long a replica goes on with what it read of the ring before it reads again (10 s).
    pub view_life: Duration,
}

impl Default for RingPolicy {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::EdDsa,
            provider: None,
            rotate_every: Some(Duration::from_secs(30 * 86_400)),
            jwks_max_age: Duration::from_secs(300),
            token_life: Duration::from_secs(900),
            leeway: Duration::from_secs(60),
            view_life: Duration::from_secs(10),
        }
    }
}

impl RingPolicy {
    /// A new key is published so long before it signs: other replicas read of it, and verifiers fetch it.
    pub(crate) fn publish_ahead_ms(&self) -> i64 {
        millis(self.view_life + self.jwks_max_age + self.leeway)
    }

    /// A superseded key is published so much longer: other replicas sign with it until they read of it, and tokens expire.
    pub(crate) fn retire_after_ms(&self) -> i64 {
        millis(self.view_life + self.token_life + self.leeway)
    }

    pub(crate) fn view_ms(&self) -> i64 {
        millis(self.view_life)
    }

    pub(crate) fn leeway_ms(&self) -> i64 {
        millis(self.leeway)
    }

    pub(crate) fn rotate_every_ms(&self) -> Option<i64> {
        self.rotate_every.map(millis)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
