//! Randomness as an argument: nonces, secrets and event ids come from here.

use std::cell::RefCell;

use zeroize::{Zeroize, Zeroizing};

/// Fills buffers with unpredictable bytes.
pub trait Random: Send + Sync + 'static {
    /// Fills `buffer` whole.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's generator. Requests of up to 16 bytes are served from a reserve of each thread, so that a
/// nonce does not cost a system call; what was handed out is wiped from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

const RESERVE: usize = 512;

/// Nonces and event ids; a secret always comes fresh from the system.
const MAX_SERVED: usize = 16;

struct Reserve {
    bytes: Zeroizing<[u8; RESERVE]>,
    left: usize,
}

thread_local! {
    static OF_THIS_THREAD: RefCell<Reserve> = RefCell::new(Reserve { bytes: Zeroizing::new([0; RESERVE]), left: 0 });
}

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        let served = buffer.len() <= MAX_SERVED
            && OF_THIS_THREAD
                .try_with(|reserve| {
                    reserve
                        .try_borrow_mut()
                        .map(|mut reserve| reserve.serve(buffer))
                })
                .is_ok_and(|served| served.is_ok());
        if !served {
            ask_the_system(buffer);
        }
    }
}

impl Reserve {
    /// `buffer` is not larger than the reserve.
    fn serve(&mut self, buffer: &mut [u8]) {
        if self.left < buffer.len() {
            ask_the_system(&mut *self.bytes);
            self.left = RESERVE;
        }
        let start = self.left - buffer.len();
        buffer.copy_from_slice(&self.bytes[start..self.left]);
        self.bytes[start..self.left].zeroize();
        self.left = start;
    }
}

#[expect(
    clippy::expect_used,
    reason = "without entropy no nonce may be made: stopping is the only safe answer"
)]
fn ask_the_system(buffer: &mut [u8]) {
    getrandom::fill(buffer).expect("the operating system's random generator failed");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_handed_out_twice() {
        let mut seen = HashSet::new();
        for length in [8, 13, 16, 17, 64, 600].into_iter().cycle().take(1_000) {
            let mut bytes = vec![0; length];
            SystemRandom.fill(&mut bytes);
            for part in bytes.chunks_exact(8) {
                assert!(seen.insert(part.to_vec()));
            }
        }
    }
}
