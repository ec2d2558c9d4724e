//! Pauses between attempts.

use std::time::Duration;

use auth_base::random::{Random, SystemRandom};

/// Doubling pauses with jitter: each is between half of the current step and the whole of it.
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    step: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            step: first.min(longest),
        }
    }

    /// Starts over with the shortest pause.
    pub(crate) fn reset(&mut self) {
        self.step = self.first.min(self.longest);
    }

    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }

    pub(crate) fn next(&mut self) -> Duration {
        let mut byte = [0];
        SystemRandom.fill(&mut byte);
        let half = self.step / 2;
        let pause = half + half.mul_f64(f64::from(byte[0]) / 255.0);
        self.step = self.step.saturating_mul(2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_and_starts_over() {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(300));
        for step in [50, 100, 200, 300, 300] {
            let pause = backoff.next();
            assert!(
                pause >= Duration::from_millis(step / 2) && pause <= Duration::from_millis(step),
                "{pause:?}"
            );
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(50));
    }
}
