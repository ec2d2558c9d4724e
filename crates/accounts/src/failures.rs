//! Failed sign-ins, counted durably: whoever guesses waits, and a restart or another replica does not help him.
//!
//! # Contract
//! - `add` counts one more and tells how many there are within the window, this one included; what it tells is
//!   [`count_one`] of what the store holds. However many callers add at once, no count is lost.
//! - A window begins with its first failure and does not move; when it has ended, counting begins anew.
//! - `count` tells what is held, zero when nothing is or its window has ended.
//! - `clear` forgets a key.
//! - `sweep` forgets windows that have ended, and nothing else, at most so many.
//!
//! # How it is used
//! Count first, check the password then, and clear when it was right: an attempt that is under way counts already, so that many
//! at once do not get past the limit.
//!
//! ```
//! use accounts::{Email, FailureKey, FailurePolicy, FailureStore, MemoryAccounts};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (store, policy) = (MemoryAccounts::new(), FailurePolicy::default());
//! let key = FailureKey::sign_in("203.0.113.7".parse()?, &Email::parse("ada@example.org")?);
//! for attempt in 1..=11 {
//!     let failures = store.add(&key, 1_000, policy.window).await?;
//!     assert_eq!(policy.admit(&failures, 1_000).is_ok(), attempt <= 10);
//! }
//! // Somebody who knows the password would have cleared it.
//! store.clear(&key).await?;
//! assert_eq!(store.count(&key, 1_000).await?.count, 0);
//! # Ok(()) }
//! ```
//!
//! # Implementing
//! Read the row under a lock, call [`count_one`], write what it returns. Prove yours with
//! `auth_testkit::failure_store_cases!`.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::network::network_of;
use auth_base::store_error::StoreError;
use sha2::{Digest, Sha256};

use crate::email::Email;

/// Counts failures. The module says what must hold.
#[async_trait]
pub trait FailureStore: Send + Sync + 'static {
    /// Counts one more failure of `key`, in a window that ends `window` after its first (at least 1 s).
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken: then nobody is let in. It may have been counted all the same.
    async fn add(
        &self,
        key: &FailureKey,
        now_ms: i64,
        window: Duration,
    ) -> Result<Failures, StoreError>;

    /// Tells how many there are.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn count(&self, key: &FailureKey, now_ms: i64) -> Result<Failures, StoreError>;

    /// Forgets the failures of `key`: it was the right person.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn clear(&self, key: &FailureKey) -> Result<(), StoreError>;

    /// Forgets windows that have ended, at most `most` of them, and tells how many.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn sweep(&self, now_ms: i64, most: u32) -> Result<u64, StoreError>;
}

/// Whose failures are counted: a hash of what is known of the attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureKey([u8; 32]);

impl FailureKey {
    /// The key of who signs in as `email` from `address`.
    ///
    /// The whole network of an IPv6 address counts as one ([`network_of`]).
    pub fn sign_in(address: IpAddr, email: &Email) -> Self {
        Self::of(&[&network_of(address).to_string(), email.as_str()])
    }

    /// The key of what is done from `address` without naming an account: `what` is a fixed word, such as `link`. It counts
    /// apart from every [`Self::sign_in`], as a word holds no `@`.
    pub fn of_address(address: IpAddr, what: &'static str) -> Self {
        Self::of(&[&network_of(address).to_string(), what])
    }

    /// The key of these parts, in this order.
    fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new_with_prefix(b"failures1");
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The key as a text: 64 hex digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for FailureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FailureKey({})", self.to_hex())
    }
}

/// How many failures there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many since the window began.
    pub count: u32,
    /// When it ends, in epoch milliseconds; 0 when nothing is counted.
    pub window_ends_at_ms: i64,
}

impl Failures {
    /// What is still held at `now_ms`.
    #[must_use]
    pub fn at(self, now_ms: i64) -> Self {
        match self.window_ends_at_ms > now_ms {
            true => self,
            false => Self::default(),
        }
    }
}

/// Counts one more. A clock that was set back makes no window longer than `window`.
pub fn count_one(held: Failures, now_ms: i64, window: Duration) -> Failures {
    let window = window.max(Duration::from_secs(1)).as_millis();
    let longest = now_ms.saturating_add(i64::try_from(window).unwrap_or(i64::MAX));
    let held = held.at(now_ms);
    let ends_at = match held.count {
        0 => longest,
        _ => held.window_ends_at_ms.min(longest),
    };
    Failures {
        count: held.count.saturating_add(1),
        window_ends_at_ms: ends_at,
    }
}

/// How many failures are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePolicy {
    /// So many attempts of a window are looked at (10).
    pub limit: u32,
    /// How long a window is (15 minutes).
    pub window: Duration,
}

impl Default for FailurePolicy {
    fn default() -> Self {
        Self {
            limit: 10,
            window: Duration::from_secs(15 * 60),
        }
    }
}

/// Too many attempts failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts failed; the next is looked at in {retry_after_ms} ms")]
pub struct TooManyFailures {
    /// When the window has ended.
    pub retry_after_ms: i64,
}

impl FailurePolicy {
    /// Tells whether an attempt that [`FailureStore::add`] has counted is looked at.
    ///
    /// # Errors
    /// [`TooManyFailures`].
    pub fn admit(&self, counted: &Failures, now_ms: i64) -> Result<(), TooManyFailures> {
        match counted.count > self.limit {
            true => Err(TooManyFailures {
                retry_after_ms: counted.window_ends_at_ms.saturating_sub(now_ms).max(0),
            }),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_does_not_move_and_never_grows() {
        let window = Duration::from_secs(10);
        let first = count_one(Failures::default(), 1_000, window);
        let expected = Failures {
            count: 1,
            window_ends_at_ms: 11_000,
        };
        assert_eq!(first, expected);
        let second = count_one(first, 10_999, window);
        assert_eq!((second.count, second.window_ends_at_ms), (2, 11_000));
        let anew = count_one(second, 11_000, window);
        assert_eq!((anew.count, anew.window_ends_at_ms), (1, 21_000));
        // The clock was set back by an hour.
        let back = count_one(anew, 21_000 - 3_600_000, window);
        assert_eq!(
            (back.count, back.window_ends_at_ms),
            (2, 31_000 - 3_600_000)
        );
        let most = Failures {
            count: u32::MAX,
            ..anew
        };
        assert_eq!(count_one(most, 12_000, window).count, u32::MAX);
    }

    #[test]
    fn a_guesser_with_a_whole_network_is_one() {
        let ada = Email::parse("ada@example.org").unwrap();
        let key = |address: &str| FailureKey::sign_in(address.parse().unwrap(), &ada);
        assert_eq!(
            key("2001:db8:1:2::1"),
            key("2001:db8:1:2:ffff:ffff:ffff:ffff")
        );
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:203.0.113.7"), key("203.0.113.7"));
        assert_ne!(key("203.0.113.8"), key("203.0.113.7"));
        let bob = Email::parse("bob@example.org").unwrap();
        let of_bob = FailureKey::sign_in("203.0.113.7".parse().unwrap(), &bob);
        assert_ne!(of_bob, key("203.0.113.7"));
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(FailureKey::of(&["ab", "c"]), FailureKey::of(&["a", "bc"]));
        assert_ne!(FailureKey::of(&["ab"]), FailureKey::of(&["ab", ""]));
        assert_eq!(FailureKey::of(&["ab"]), FailureKey::of(&["ab"]));
    }
}
