//! Keys that somebody else publishes: fetched when they are needed, kept for a while.
//!
//! ```text
//!   key is known, set is fresh ───────────────────────────────► the key
//!   set is old, or kid is unknown ─► fetch, one for all who ask ─► the key, or none
//!                                     └─ fails ─► the old set while it may still be used, else the failure
//! ```
//!
//! Whoever sends tokens chooses their `kid`, so an unknown one costs a fetch at most once in a cool-down.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use auth_base::store_error::StoreError;
use futures_util::lock::Mutex;
use parking_lot::RwLock;

use crate::jwks::Jwks;
use crate::key_source::KeySource;
use crate::public_jwk::PublicJwk;

/// Fetches a key set.
///
/// # Contract
/// `fetch` answers what is published now, within a time of its own choosing: there is no other timeout. Whoever asks for a key
/// meanwhile waits for it.
#[async_trait]
pub trait JwksFetch: Send + Sync + 'static {
    /// Fetches the set.
    async fn fetch(&self) -> Result<Jwks, StoreError>;
}

/// Finds keys in a fetched set. Clones share it.
pub struct CachedKeySource<F> {
    shared: Arc<Shared<F>>,
}

impl<F> Clone for CachedKeySource<F> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        Self { shared }
    }
}

struct Shared<F> {
    fetch: F,
    options: KeyCacheOptions,
    state: RwLock<State>,
    /// Who holds it fetches.
    fetching: Mutex<()>,
}

/// How long a fetched set counts.
#[derive(Clone)]
pub struct KeyCacheOptions {
    /// An older set is fetched again before it is used: so long a key that is no longer published may still be taken. Five
    /// minutes, as a JWKS is usually published for.
    pub max_age: Duration,
    /// After a fetch there is no other for so long, on account of an unknown `kid` or of a failure. Ten seconds.
    pub cool_down: Duration,
    /// A set that cannot be fetched again is used for so long after it was fetched. An hour.
    pub usable: Duration,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Default for KeyCacheOptions {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(5 * 60),
            cool_down: Duration::from_secs(10),
            usable: Duration::from_secs(60 * 60),
            clock: Arc::new(SystemClock),
        }
    }
}

#[derive(Clone, Default)]
struct State {
    fetched: Option<Fetched>,
    /// When the last fetch ended, however.
    tried_ms: Option<i64>,
}

#[derive(Clone)]
struct Fetched {
    keys: Jwks,
    at_ms: i64,
}

impl<F: JwksFetch> CachedKeySource<F> {
    /// Fetches with `fetch`, nothing before a key is asked for.
    pub fn new(fetch: F, options: KeyCacheOptions) -> Self {
        Self {
            shared: Arc::new(Shared {
                fetch,
                options,
                state: RwLock::default(),
                fetching: Mutex::new(()),
            }),
        }
    }
}

impl<F: JwksFetch> Shared<F> {
    /// Tells whether `at_ms` is less than `time` ago. A clock that was set back makes everything old.
    fn is_within(&self, at_ms: i64, time: Duration) -> bool {
        let age = self.options.clock.now_ms().saturating_sub(at_ms);
        u64::try_from(age).is_ok_and(|age| u128::from(age) < time.as_millis())
    }

    /// The answer that needs no fetch.
    fn known(&self, kid: &str) -> Option<Result<Option<PublicJwk>, StoreError>> {
        let state = self.state.read();
        let cools_down = state
            .tried_ms
            .is_some_and(|at_ms| self.is_within(at_ms, self.options.cool_down));
        let Some(fetched) = &state.fetched else {
            return cools_down.then(|| Err(StoreError::Unavailable(NOT_FETCHED.into())));
        };
        let key = fetched.keys.find(kid).cloned();
        let is_fresh = self.is_within(fetched.at_ms, self.options.max_age);
        match (is_fresh && key.is_some()) || cools_down {
            true if is_fresh || self.is_usable(fetched) => Some(Ok(key)),
            true => Some(Err(StoreError::Unavailable(NOT_FETCHED.into()))),
            false => None,
        }
    }

    fn is_usable(&self, fetched: &Fetched) -> bool {
        self.is_within(fetched.at_ms, self.options.usable)
    }

    async fn fetch(&self, kid: &str) -> Result<Option<PublicJwk>, StoreError> {
        let answered = self.fetch.fetch().await;
        let now_ms = self.options.clock.now_ms();
        let mut state = self.state.write();
        state.tried_ms = Some(now_ms);
        match (answered, &state.fetched) {
            (Ok(keys), _) => {
                let key = keys.find(kid).cloned();
                state.fetched = Some(Fetched {
                    keys,
                    at_ms: now_ms,
                });
                Ok(key)
            }
            (Err(error), Some(fetched)) if self.is_usable(fetched) => {
                tracing::warn!(%error, "the key set could not be fetched; the last one is used");
                Ok(fetched.keys.find(kid).cloned())
            }
            (Err(error), _) => Err(error),
        }
    }
}

const NOT_FETCHED: &str = "the key set could not be fetched";

#[async_trait]
impl<F: JwksFetch> KeySource for CachedKeySource<F> {
    async fn key(&self, kid: &str) -> Result<Option<PublicJwk>, StoreError> {
        if let Some(known) = self.shared.known(kid) {
            return known;
        }
        let _fetching = self.shared.fetching.lock().await;
        // Somebody else may have fetched it meanwhile.
        match self.shared.known(kid) {
            Some(known) => known,
            None => self.shared.fetch(kid).await,
        }
    }
}
