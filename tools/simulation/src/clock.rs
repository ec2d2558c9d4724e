//! Each process has a clock of its own, which may be wrong and may be set.

use std::sync::atomic::{AtomicI64, Ordering};

use auth_base::clock::Clock;
use tokio::time::Instant;

/// The simulated moment at which every story begins, epoch milliseconds.
const BEGINNING_MS: i64 = 1_700_000_000_000;

/// A clock that runs with the simulated time, ahead or behind.
#[derive(Debug)]
pub struct SkewedClock {
    since: Instant,
    ahead_ms: AtomicI64,
}

impl SkewedClock {
    /// Starts a clock that is `ahead_ms` ahead (behind when negative).
    pub fn new(since: Instant, ahead_ms: i64) -> Self {
        Self {
            since,
            ahead_ms: AtomicI64::new(ahead_ms),
        }
    }

    /// Sets the clock by this much, back when negative.
    pub fn step(&self, by_ms: i64) {
        self.ahead_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for SkewedClock {
    fn now_ms(&self) -> i64 {
        let elapsed = i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        BEGINNING_MS + elapsed + self.ahead_ms.load(Ordering::Relaxed)
    }
}
