//! What a replica knows of a ring: what it read last, how old that is, and who reads again.
//!
//! A store may fail, or never answer. So every call of it ends within a time, one caller reads for all, who waited for a read
//! that failed shares its failure, and whoever may go on with an old view does not wait.

use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::Clock;
use auth_base::store_error::StoreError;
use parking_lot::RwLock;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::key_id::RingName;
use crate::key_ring::{KeyRing, Revision};
use crate::ring_store::KeyRingStore;

/// The store has so long for one call.
const STORE_LIMIT: Duration = Duration::from_secs(5);

/// The store is waited for so long where an old view will do.
const PATIENCE: Duration = Duration::from_secs(1);

/// A failure is told so long to whoever wants the ring, without asking the store again.
const FAILURE_LIFE: Duration = Duration::from_secs(1);

/// A ring as it was read.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) ring: KeyRing,
    pub(crate) read_at_ms: i64,
}

#[derive(Default)]
struct Trouble {
    failed: Option<(Instant, Arc<StoreError>)>,
    /// When the store kept somebody waiting who had an old view.
    late: Option<Instant>,
}

/// One ring as this replica knows it.
pub(crate) struct RingView {
    name: RingName,
    store: Arc<dyn KeyRingStore>,
    clock: Arc<dyn Clock>,
    held: RwLock<Option<Held>>,
    trouble: parking_lot::Mutex<Trouble>,
    /// One reads for all.
    reading: Mutex<()>,
}

impl RingView {
    pub(crate) fn new(name: RingName, store: Arc<dyn KeyRingStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            name,
            store,
            clock,
            held: RwLock::default(),
            trouble: parking_lot::Mutex::default(),
            reading: Mutex::default(),
        }
    }

    /// The ring as it was read less than `age` ago. `None` when there is no such ring.
    pub(crate) async fn fresh(&self, age: Duration) -> Result<Option<Held>, StoreError> {
        if let Some(held) = self.held_within(age) {
            return Ok(Some(held));
        }
        let came = Instant::now();
        self.check_failure(came)?;
        let _one_reads = self.reading.lock().await;
        if let Some(held) = self.held_within(age) {
            return Ok(Some(held));
        }
        self.check_failure(came)?;
        self.read().await
    }

    /// The ring as it was read less than `age` ago, else, while the store is away or late, less than `longest` ago.
    pub(crate) async fn fresh_or_old(
        &self,
        age: Duration,
        longest: Duration,
    ) -> Result<Option<Held>, StoreError> {
        if let Some(held) = self.held_within(age) {
            return Ok(Some(held));
        }
        let Some(old) = self.held_within(longest) else {
            return self.fresh(age).await;
        };
        // Somebody reads, or has just read in vain.
        let Ok(_one_reads) = self.reading.try_lock() else {
            return Ok(Some(old));
        };
        if self.is_troubled() {
            return Ok(Some(old));
        }
        match timeout(PATIENCE, self.read()).await {
            Ok(Ok(held)) => Ok(held),
            Ok(Err(_)) => Ok(Some(old)),
            Err(_) => {
                self.trouble.lock().late = Some(Instant::now());
                Ok(Some(old))
            }
        }
    }

    /// Reads the ring now.
    pub(crate) async fn read(&self) -> Result<Option<Held>, StoreError> {
        let read_at_ms = self.clock.now_ms();
        let read = in_time(self.store.read(&self.name)).await;
        match read {
            Ok(ring) => {
                *self.trouble.lock() = Trouble::default();
                Ok(ring.map(|ring| self.keep(Held { ring, read_at_ms })))
            }
            Err(error) => {
                let error = Arc::new(error);
                self.trouble.lock().failed = Some((Instant::now(), Arc::clone(&error)));
                Err(again(&error))
            }
        }
    }

    /// Writes the next ring, and tells whether the store held the revision `expect`.
    pub(crate) async fn write(&self, expect: Revision, next: &KeyRing) -> Result<bool, StoreError> {
        let read_at_ms = self.clock.now_ms();
        let is_written = in_time(self.store.advance(expect, next)).await?;
        if is_written {
            let ring = next.clone();
            self.keep(Held { ring, read_at_ms });
        }
        Ok(is_written)
    }

    /// An older revision does not replace a newer one.
    fn keep(&self, read: Held) -> Held {
        let mut held = self.held.write();
        let is_newer = |held: &Held| {
            held.ring.tag() != read.ring.tag() || held.ring.revision() <= read.ring.revision()
        };
        if held.as_ref().is_none_or(is_newer) {
            *held = Some(read.clone());
        }
        read
    }

    fn held_within(&self, age: Duration) -> Option<Held> {
        let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let now_ms = self.clock.now_ms();
        // A view of the future is of before the clock was set back: nobody knows how old it is.
        let is_fresh = |held: &&Held| (0..age_ms).contains(&now_ms.saturating_sub(held.read_at_ms));
        self.held.read().as_ref().filter(is_fresh).cloned()
    }

    /// Shares a failure of a moment ago, or of a read that whoever came at `came` has waited for.
    fn check_failure(&self, came: Instant) -> Result<(), StoreError> {
        match &self.trouble.lock().failed {
            Some((at, error)) if *at >= came || at.elapsed() < FAILURE_LIFE => Err(again(error)),
            _ => Ok(()),
        }
    }

    fn is_troubled(&self) -> bool {
        let trouble = self.trouble.lock();
        let failed = trouble.failed.as_ref().map(|(at, _)| *at);
        let times = [failed, trouble.late];
        times
            .into_iter()
            .flatten()
            .any(|at| at.elapsed() < FAILURE_LIFE)
    }
}

async fn in_time<T>(
    call: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    let answer = timeout(STORE_LIMIT, call).await;
    answer.unwrap_or_else(|elapsed| Err(StoreError::Unavailable(Box::new(elapsed))))
}

/// The same failure for one more caller.
fn again(error: &Arc<StoreError>) -> StoreError {
    match &**error {
        StoreError::Corrupt { owner, reason } => StoreError::Corrupt {
            owner: owner.clone(),
            reason,
        },
        StoreError::Refused(_) => StoreError::Refused(Box::new(Arc::clone(error))),
        _ => StoreError::Unavailable(Box::new(Arc::clone(error))),
    }
}
