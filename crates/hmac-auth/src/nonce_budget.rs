//! How much one client may make the nonce store keep: a store that is full lets nobody in.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::credential::ClientId;

/// What a nonce takes beside its client's id and itself, as measured with Redis 7.
const BYTES_BESIDE: usize = 128;
/// Nonces that expire in the same minute are counted together.
const MINUTE_MS: i64 = 60_000;

/// What the nonces of each client take that have not expired. Clones share it.
///
/// It counts what one process has made the store keep: instances that share a store allow as much each.
#[derive(Clone)]
pub(crate) struct NonceBudget {
    max_bytes: u64,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// Bytes of each client by the minute in which they expire.
    bytes: HashMap<ClientId, BTreeMap<i64, u64>>,
    /// The minute in which what has expired was last forgotten.
    swept: i64,
}

impl NonceBudget {
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            kept: Arc::default(),
        }
    }

    /// Tells whether `client_id` may have one more nonce kept.
    pub(crate) fn has_room(&self, client_id: &ClientId, now_ms: i64) -> bool {
        let mut kept = self.kept.lock();
        kept.forget_expired(now_ms);
        let minutes = kept.bytes.get(client_id);
        let bytes = minutes.map_or(0, |minutes| minutes.values().sum());
        bytes < self.max_bytes
    }

    /// Counts a nonce that the store keeps from now on.
    pub(crate) fn count(&self, client_id: &ClientId, nonce: &str, now_ms: i64, ttl: Duration) {
        let bytes = BYTES_BESIDE + client_id.as_str().len() + nonce.len();
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let minute = now_ms.saturating_add(ttl_ms) / MINUTE_MS;
        let mut kept = self.kept.lock();
        let minutes = match kept.bytes.get_mut(client_id) {
            Some(minutes) => minutes,
            None => kept.bytes.entry(client_id.clone()).or_default(),
        };
        *minutes.entry(minute).or_default() += bytes as u64;
    }
}

impl Kept {
    fn forget_expired(&mut self, now_ms: i64) {
        let now = now_ms / MINUTE_MS;
        if self.swept == now {
            return;
        }
        self.swept = now;
        self.bytes.retain(|_, minutes| {
            minutes.retain(|minute, _| *minute >= now);
            !minutes.is_empty()
        });
    }
}

impl fmt::Debug for NonceBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes for each client", self.max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_expired_makes_room() {
        let budget = NonceBudget::new(300);
        let client = |id: &str| ClientId::parse(id).unwrap();
        let (a, b) = (client("a"), client("b"));
        let minute = Duration::from_secs(60);
        // 128 + 1 + 1 bytes each.
        for now_ms in [0, 30_000, 60_000] {
            assert!(budget.has_room(&a, now_ms));
            budget.count(&a, "n", now_ms, minute);
        }
        assert!(!budget.has_room(&a, 60_000));
        assert!(budget.has_room(&b, 60_000), "each has its own");
        budget.count(&b, "n", 60_000, minute);
        assert!(!budget.has_room(&a, 119_999));
        assert!(budget.has_room(&a, 120_000), "the first two are gone");
        assert!(budget.has_room(&a, 180_000));
        assert_eq!(
            budget.kept.lock().bytes.len(),
            0,
            "who has none is forgotten"
        );
    }
}
