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

    /// Tells whether it was asked for less than `cool_down` before `now_ms`.
    pub(crate) fn is_young(&self, now_ms: i64, cool_down: Duration) -> bool {
        let grown_up = self.asked_at_ms.saturating_add(millis(cool_down));
        (self.asked_at_ms..grown_up).contains(&now_ms)
    }

    /// Tells whether it is used at `now_ms`, rather than renewed.
    pub(crate) fn is_fresh(&self, now_ms: i64, skew: Duration) -> bool {
        let skew = skew.min(self.life / 4);
        // A token of the future is of before the clock was set back: nobody knows how old it is.
        (self.asked_at_ms..self.expires_at_ms().saturating_sub(millis(skew))).contains(&now_ms)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_steps_back_makes_no_token_fresh() {
        let token = AccessToken::new(Secret::new("t"), None, 10_000, Duration::from_secs(100));
        let is_fresh = |now_ms| token.is_fresh(now_ms, Duration::from_secs(30));
        assert!(is_fresh(10_000) && is_fresh(84_999));
        assert!(!is_fresh(9_999) && !is_fresh(85_000));
        let is_young = |now_ms| token.is_young(now_ms, Duration::from_secs(10));
        assert!(is_young(10_000) && is_young(19_999));
        assert!(!is_young(9_999) && !is_young(20_000));
    }
}
