//! A token as it was answered.

use std::time::Duration;

use auth_base::secret::Secret;

/// An access token. It is as good as a password while it lasts.
#[derive(Debug)]
pub struct AccessToken {
    token: Secret,
    scope: Option<String>,
    asked_at_ms: i64,
    life: Duration,
}

impl AccessToken {
    pub(crate) fn new(
        token: Secret,
        scope: Option<String>,
        asked_at_ms: i64,
        life: Duration,
    ) -> Self {
        Self {
            token,
            scope,
            asked_at_ms,
            life,
        }
    }

    /// Reveals the token. Every call of this is a place to look at in a review.
    pub fn expose(&self) -> &str {
        self.token.expose()
    }

    /// The scope that was granted, if the answer says so.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// When it expires, in epoch milliseconds, counted from before it was asked for.
    pub fn expires_at_ms(&self) -> i64 {
        self.asked_at_ms.saturating_add(millis(self.life))
    }

    /// Tells whether it is used at `now_ms`, rather than renewed.
    pub(crate) fn is_fresh(&self, now_ms: i64, skew: Duration) -> bool {
        let skew = skew.min(self.life / 4);
        now_ms < self.expires_at_ms().saturating_sub(millis(skew))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
