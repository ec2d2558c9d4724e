//! Where nonces are remembered: the guard against replay.
//!
//! # Implementing
//! Implement [`NonceStore`], then prove it with `hmac_testkit::nonce_store_cases!` from your crate's `tests/`.
//! [`MemoryNonceStore`] is the complete model to compare with.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::clock::{Clock, SystemClock};
use crate::store_error::StoreError;

/// Remembers nonces.
///
/// # Contract
/// `remember` answers `true` exactly once for an (owner, nonce, timestamp) within `ttl`, however many callers and
/// instances ask at once.
#[async_trait]
pub trait NonceStore: Send + Sync + 'static {
    /// Remembers the nonce of `owner` (a client id, an issuer, the thumbprint of a key) for `ttl` (at least 1 s); `true`
    /// when it was not known before.
    async fn remember(
        &self,
        owner: &str,
        nonce: &str,
        timestamp_ms: i64,
        ttl: Duration,
    ) -> Result<bool, StoreError>;
}

/// Remembers nonces in memory. Clones share what is remembered.
///
/// Every call forgets the nonces that have expired, so memory is bounded by what verified clients send within one time
/// to live.
#[derive(Clone)]
pub struct MemoryNonceStore {
    nonces: Arc<Mutex<Nonces>>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Nonces {
    known: HashSet<Arc<NonceKey>>,
    by_expiry: BinaryHeap<Reverse<(i64, Arc<NonceKey>)>>,
}

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct NonceKey {
    owner: Box<str>,
    nonce: Box<str>,
    timestamp_ms: i64,
}

impl Default for MemoryNonceStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryNonceStore {
    /// Makes an empty store on the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// Makes an empty store whose nonces expire by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            nonces: Arc::default(),
            clock,
        }
    }

    /// Counts the nonces that are kept, those that expired since the last call included.
    pub fn len(&self) -> usize {
        self.nonces.lock().known.len()
    }

    /// Tells whether no nonce is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[async_trait]
impl NonceStore for MemoryNonceStore {
    async fn remember(
        &self,
        owner: &str,
        nonce: &str,
        timestamp_ms: i64,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let now_ms = self.clock.now_ms();
        let key = Arc::new(NonceKey {
            owner: owner.into(),
            nonce: nonce.into(),
            timestamp_ms,
        });
        let ttl_ms = ttl.max(Duration::from_secs(1)).as_millis();
        let expires_at = now_ms.saturating_add(i64::try_from(ttl_ms).unwrap_or(i64::MAX));
        let mut nonces = self.nonces.lock();
        nonces.forget_expired(now_ms);
        let fresh = nonces.known.insert(Arc::clone(&key));
        if fresh {
            nonces.by_expiry.push(Reverse((expires_at, key)));
        }
        Ok(fresh)
    }
}

impl Nonces {
    fn forget_expired(&mut self, now_ms: i64) {
        while let Some(Reverse((expires_at, _))) = self.by_expiry.peek()
            && *expires_at <= now_ms
        {
            if let Some(Reverse((_, key))) = self.by_expiry.pop() {
                self.known.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[tokio::test]
    async fn nonces_are_forgotten_when_they_expire() {
        let clock = Arc::new(ManualClock::new(0));
        let store = MemoryNonceStore::with_clock(clock.clone());
        let ttl = Duration::from_secs(2);
        assert!(store.remember("a", "n", 1, ttl).await.unwrap());
        assert!(!store.remember("a", "n", 1, ttl).await.unwrap());
        assert!(store.remember("a", "n", 2, ttl).await.unwrap());
        assert!(store.remember("b", "n", 1, ttl).await.unwrap());
        assert!(
            store
                .remember("b", "short", 1, Duration::ZERO)
                .await
                .unwrap()
        );
        clock.set(999);
        assert!(!store.remember("b", "short", 1, ttl).await.unwrap());
        assert_eq!(store.len(), 4);
        clock.set(2_000);
        assert!(store.remember("a", "n", 1, ttl).await.unwrap());
        assert_eq!(store.len(), 1);
    }
}
