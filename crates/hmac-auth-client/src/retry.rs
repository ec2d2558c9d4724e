//! When a request is sent again, and after how long.

use std::time::Duration;

use auth_base::backoff::Backoff;
use auth_base::random::{Random, SystemRandom};
use http::{Method, StatusCode};

/// When a request is sent again, signed anew each time.
///
/// A connection that could not be made is tried again for every method, for nothing was sent. An answer of 503 is
/// tried again for methods that may be repeated (GET, HEAD, OPTIONS, TRACE, PUT, DELETE), for others only when asked.
/// A connection that breaks and a peer that does not answer in time are never tried again: the peer may have acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    attempts: u32,
    backoff: Backoff,
    every_method: bool,
}

impl Default for RetryPolicy {
    /// Sends up to 3 times, after 100 ms, then 200 ms (each between half and whole of it), at most 2 s.
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(2)),
            every_method: false,
        }
    }
}

impl RetryPolicy {
    /// Sends once and never again.
    pub fn never() -> Self {
        Self {
            attempts: 1,
            ..Self::default()
        }
    }

    /// Sends up to `attempts` times in all, at least once.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Waits `first` before the second attempt, twice as long before each next one, and never longer than `max`.
    pub fn delays(mut self, first: Duration, max: Duration) -> Self {
        self.backoff = Backoff::new(first, max);
        self
    }

    /// Sends POST and PATCH again too when the answer is 503: for peers where repeating them does no harm.
    pub fn every_method(mut self) -> Self {
        self.every_method = true;
        self
    }

    /// Tells whether another attempt may follow attempt number `attempt` (from 1).
    pub(crate) fn allows_another(&self, attempt: u32) -> bool {
        attempt < self.attempts
    }

    /// Tells whether an answer of `status` to `method` is worth another attempt.
    pub(crate) fn repeats_answer(&self, method: &Method, status: StatusCode) -> bool {
        status == StatusCode::SERVICE_UNAVAILABLE && (self.every_method || method.is_idempotent())
    }

    /// How long to wait after attempt number `attempt` (from 1); longer when the peer asks for it, within the bound.
    pub(crate) fn delay(&self, attempt: u32, retry_after: Option<Duration>) -> Duration {
        self.delay_by(attempt, retry_after, &SystemRandom)
    }

    fn delay_by(
        &self,
        attempt: u32,
        retry_after: Option<Duration>,
        random: &dyn Random,
    ) -> Duration {
        self.backoff
            .jittered(attempt.saturating_sub(1), random)
            .max(retry_after.unwrap_or_default())
            .min(self.backoff.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Always the same bytes: of all pauses the shortest (0) or the longest (255).
    struct Constant(u8);

    impl Random for Constant {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn delays_double_within_their_bound() {
        let policy = RetryPolicy::default().delays(ms(100), ms(500));
        let whole = |attempt| policy.delay_by(attempt, None, &Constant(255));
        assert_eq!(
            [whole(1), whole(2), whole(3), whole(4)],
            [ms(100), ms(200), ms(400), ms(500)]
        );
        assert_eq!(whole(u32::MAX), ms(500));
        assert_eq!(policy.delay_by(1, None, &Constant(0)), ms(50));
    }

    #[test]
    fn the_peer_may_ask_for_more_but_not_for_ever() {
        let policy = RetryPolicy::default().delays(ms(100), ms(500));
        assert_eq!(policy.delay_by(1, Some(ms(300)), &Constant(0)), ms(300));
        assert_eq!(
            policy.delay_by(1, Some(ms(3_600_000)), &Constant(0)),
            ms(500)
        );
    }

    #[test]
    fn only_what_may_be_repeated_is_repeated() {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let policy = RetryPolicy::default();
        assert!(policy.repeats_answer(&Method::GET, unavailable));
        assert!(policy.repeats_answer(&Method::PUT, unavailable));
        assert!(!policy.repeats_answer(&Method::POST, unavailable));
        assert!(
            policy
                .every_method()
                .repeats_answer(&Method::POST, unavailable)
        );
        assert!(!policy.repeats_answer(&Method::GET, StatusCode::INTERNAL_SERVER_ERROR));
    }

    #[test]
    fn attempts_are_bounded() {
        assert!(!RetryPolicy::never().allows_another(1));
        assert!(!RetryPolicy::default().attempts(0).allows_another(1));
        assert!(RetryPolicy::default().allows_another(2));
        assert!(!RetryPolicy::default().allows_another(3));
    }
}
