//! Nonces that a server asks for (RFC 9449, section 8), without a store: each carries its time and a MAC over it.

use std::fmt;
use std::sync::Arc;

use auth_base::clock::{Clock, SystemClock};
use ring::hmac;

use crate::claims::now_seconds;
use crate::encoding;

/// What is signed with the key begins so, and with no other text of ours.
const LABEL: &[u8] = b"dpop-nonce-1";

/// Makes and checks nonces. Clones are the same; instances that share the key accept each other's.
#[derive(Clone)]
pub struct DpopNonces {
    key: hmac::Key,
    clock: Arc<dyn Clock>,
    seconds: i64,
}

/// What a nonce is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It is fresh.
    Fresh,
    /// It still counts, and more than half of its time is over.
    Aging,
    /// It is not ours, or too old.
    None,
}

impl DpopNonces {
    /// A nonce counts for so many seconds, unless [`Self::seconds`] says otherwise.
    pub const SECONDS: i64 = 300;

    /// Makes nonces with `key`, which all instances share and nobody else knows.
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            clock: Arc::new(SystemClock),
            seconds: Self::SECONDS,
        }
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Lets a nonce count for `seconds`.
    pub fn seconds(mut self, seconds: u32) -> Self {
        self.seconds = i64::from(seconds);
        self
    }

    /// Makes a nonce of this second: 54 characters.
    pub fn issue(&self) -> String {
        let time = now_seconds(self.clock.now_ms()).to_be_bytes();
        let mac = hmac::sign(&self.key, &labelled(time));
        encoding::encode([&time, mac.as_ref()].concat())
    }

    /// Judges a nonce that came in a proof. The MAC is compared in constant time.
    pub(crate) fn judge(&self, nonce: &str) -> Worth {
        let Some(bytes) = encoding::decode_exactly::<40>(nonce) else {
            return Worth::None;
        };
        let (time, mac) = bytes.split_at(8);
        let Ok(time) = <[u8; 8]>::try_from(time) else {
            return Worth::None;
        };
        if hmac::verify(&self.key, &labelled(time), mac).is_err() {
            return Worth::None;
        }
        // Instances' clocks may differ a little; what is from the future was made by one of them.
        let age = now_seconds(self.clock.now_ms()).saturating_sub(i64::from_be_bytes(time));
        match age {
            _ if age > self.seconds => Worth::None,
            _ if age > self.seconds / 2 => Worth::Aging,
            _ => Worth::Fresh,
        }
    }
}

impl fmt::Debug for DpopNonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopNonces")
            .field("seconds", &self.seconds)
            .finish_non_exhaustive()
    }
}

fn labelled(time: [u8; 8]) -> Vec<u8> {
    [LABEL, &time].concat()
}

#[cfg(test)]
mod tests {
    use auth_base::clock::ManualClock;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_nonce_counts_for_its_time_at_every_instance() {
        let clock = Arc::new(ManualClock::new(1_000_000));
        let nonces = |key| DpopNonces::new(&[key; 32]).clock(clock.clone()).seconds(60);
        let (one, same, other) = (nonces(1), nonces(1), nonces(2));
        let nonce = one.issue();
        assert_eq!(nonce.len(), 54);
        assert_eq!(
            (same.judge(&nonce), other.judge(&nonce)),
            (Worth::Fresh, Worth::None)
        );
        for (after, worth) in [
            (30, Worth::Fresh),
            (31, Worth::Aging),
            (60, Worth::Aging),
            (61, Worth::None),
        ] {
            clock.set(1_000_000 + after * 1_000);
            assert_eq!(same.judge(&nonce), worth, "{after}");
        }
        assert_eq!(format!("{one:?}"), "DpopNonces { seconds: 60, .. }");
    }

    proptest! {
        #[test]
        fn nobody_makes_up_a_nonce(text: String, bytes: [u8; 40], place in 0_usize..40, bit in 0_u8..8) {
            let nonces = DpopNonces::new(&[7; 32]);
            prop_assert_eq!(nonces.judge(&text), Worth::None);
            prop_assert_eq!(nonces.judge(&encoding::encode(bytes)), Worth::None);
            let mut good: [u8; 40] = encoding::decode_exactly(&nonces.issue()).unwrap();
            good[place] ^= 1 << bit;
            prop_assert_eq!(nonces.judge(&encoding::encode(good)), Worth::None);
        }
    }
}
