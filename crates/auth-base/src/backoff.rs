//! Exponential back-off: how long to wait between attempts.
//!
//! The type only computes. Whoever tries again counts its failures, sleeps, and begins at zero after a success.

use std::time::Duration;

use crate::random::Random;

/// Pauses that double from the first to the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// No pause is longer.
    pub longest: Duration,
}

impl Backoff {
    /// Doubles from `first` to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// Tells the pause when `failures` failures came before the last one: the first for 0, twice as long for 1.
    pub fn pause(self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures);
        self.first.saturating_mul(doubled).min(self.longest)
    }

    /// As [`Self::pause`], by chance between half and the whole of it, so that many who failed at once do not come
    /// back at once.
    pub fn jittered(self, failures: u32, random: &dyn Random) -> Duration {
        let mut bytes = [0; 4];
        random.fill(&mut bytes);
        let half = self.pause(failures) / 2;
        half + half.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(300));

    struct Constant(u8);

    impl Random for Constant {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses = [0, 1, 2, 3, u32::MAX].map(|failures| BACKOFF.pause(failures).as_millis());
        assert_eq!(pauses, [50, 100, 200, 300, 300]);
        let backwards = Backoff::new(BACKOFF.longest, BACKOFF.first);
        assert_eq!(backwards.pause(0), BACKOFF.first);
    }

    #[test]
    fn jitter_stays_between_half_and_whole() {
        assert_eq!(BACKOFF.jittered(1, &Constant(0)).as_millis(), 50);
        assert_eq!(BACKOFF.jittered(1, &Constant(255)).as_millis(), 100);
        for failures in 0..100 {
            let (pause, whole) = (
                BACKOFF.jittered(failures, &SystemRandom),
                BACKOFF.pause(failures),
            );
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?}");
        }
    }
}
