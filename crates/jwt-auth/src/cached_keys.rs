//! Keys that somebody else publishes: fetched when they are needed, kept for a while.
//!
//! ```text
//!   key is known, set is fresh ───────────────────────────────► the key
//!   set is old, or kid is unknown ─► fetch, one for all who ask ─► the key, or none
//!                                     └─ fails ─► a key of the old set while that may be used, else the failure
//! ```
//!
//! Whoever sends tokens chooses their `kid`, so an unknown one costs a fetch at most once in a cool-down.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use auth_base::store_error::StoreError;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;

use crate::jwks::Jwks;
use crate::key_source::KeySource;
use crate::public_jwk::PublicJwk;

/// Fetches a key set.
///
/// # Contract
/// `fetch` answers what is published now, within a time of its own choosing: there is no other timeout. Whoever asks for a key
/// meanwhile waits for it. A fetch whose callers have all gone away is carried on by the next one.
#[async_trait]
pub trait JwksFetch: Send + Sync + 'static {
    /// Fetches the set.
    async fn fetch(&self) -> Result<Jwks, StoreError>;
}

/// Finds keys in a fetched set. Clones share it.
#[derive(Clone)]
pub struct CachedKeySource {
    fetch: Arc<dyn JwksFetch>,
    options: KeyCacheOptions,
    state: Arc<Mutex<State>>,
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

/// A fetch that all callers share, whichever of them goes away.
type Fetching = Shared<BoxFuture<'static, Result<Jwks, NotFetched>>>;

#[derive(Default)]
struct State {
    fetched: Option<Fetched>,
    tried: Option<Tried>,
    fetching: Option<Fetching>,
}

struct Fetched {
    keys: Jwks,
    at_ms: i64,
}

/// The last fetch.
struct Tried {
    at_ms: i64,
    failed: Option<NotFetched>,
}

/// Why a set was not fetched; shared by all who waited.
#[derive(Clone, Debug)]
struct NotFetched(Arc<StoreError>);

impl fmt::Display for NotFetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key set could not be fetched")
    }
}

impl Error for NotFetched {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl From<NotFetched> for StoreError {
    fn from(error: NotFetched) -> Self {
        Self::Unavailable(error.into())
    }
}

/// What is known of a key.
type Known = Result<Option<PublicJwk>, StoreError>;

impl CachedKeySource {
    /// Fetches with `fetch`, nothing before a key is asked for.
    pub fn new(fetch: impl JwksFetch, options: KeyCacheOptions) -> Self {
        Self {
            fetch: Arc::new(fetch),
            options,
            state: Arc::default(),
        }
    }

    /// Tells whether `at_ms` is less than `time` ago. A clock that was set back makes everything old.
    fn is_within(&self, at_ms: i64, time: Duration) -> bool {
        let age = self.options.clock.now_ms().saturating_sub(at_ms);
        u64::try_from(age).is_ok_and(|age| u128::from(age) < time.as_millis())
    }

    /// The answer that needs no fetch, or the fetch that it needs.
    fn known(&self, kid: &str) -> Result<Known, Fetching> {
        let mut state = self.state.lock();
        if let Some(fetched) = &state.fetched
            && self.is_within(fetched.at_ms, self.options.max_age)
            && let Some(key) = fetched.keys.find(kid)
        {
            return Ok(Ok(Some(key.clone())));
        }
        let cools_down = |tried: &&Tried| self.is_within(tried.at_ms, self.options.cool_down);
        if let Some(tried) = state.tried.as_ref().filter(cools_down) {
            return Ok(self.kept(&state, tried.failed.as_ref(), kid));
        }
        let fetching = state.fetching.get_or_insert_with(|| {
            let fetch = Arc::clone(&self.fetch);
            let fetching = async move { fetch.fetch().await };
            let fetching = fetching.map(|it| it.map_err(|error| NotFetched(Arc::new(error))));
            fetching.boxed().shared()
        });
        Err(fetching.clone())
    }

    /// The answer of the set that is kept. After a failure a key that is not in it may be a new one: that is not known.
    fn kept(&self, state: &State, failed: Option<&NotFetched>, kid: &str) -> Known {
        let usable = |fetched: &&Fetched| self.is_within(fetched.at_ms, self.options.usable);
        let kept = state.fetched.as_ref().filter(usable);
        let key = kept.and_then(|fetched| fetched.keys.find(kid));
        match (key, failed) {
            (Some(key), _) => Ok(Some(key.clone())),
            (None, None) => Ok(None),
            (None, Some(failed)) => Err(failed.clone().into()),
        }
    }

    /// Waits for a fetch; the first who sees its end notes it.
    async fn finish(&self, fetching: Fetching) {
        let answered = fetching.clone().await;
        let mut state = self.state.lock();
        if state.fetching.take_if(|it| it.ptr_eq(&fetching)).is_none() {
            return;
        }
        let at_ms = self.options.clock.now_ms();
        let failed = match answered {
            Ok(keys) => {
                state.fetched = Some(Fetched { keys, at_ms });
                None
            }
            Err(error) => {
                tracing::warn!(error = %error.0, "the key set could not be fetched");
                Some(error)
            }
        };
        state.tried = Some(Tried { at_ms, failed });
    }

    /// The answer after a fetch, whatever the cool-down says.
    fn after(&self, kid: &str) -> Known {
        let state = self.state.lock();
        let failed = state.tried.as_ref().and_then(|tried| tried.failed.as_ref());
        self.kept(&state, failed, kid)
    }
}

#[async_trait]
impl KeySource for CachedKeySource {
    async fn key(&self, kid: &str) -> Known {
        match self.known(kid) {
            Ok(known) => known,
            Err(fetching) => {
                self.finish(fetching).await;
                self.after(kid)
            }
        }
    }
}
