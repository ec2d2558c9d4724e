//! Key sets that are fetched.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::ManualClock;
use futures_util::future::join_all;
use jwt_auth::{
    Algorithm, CachedKeySource, Jwks, JwksFetch, KeyCacheOptions, KeySource as _, PrivateKey,
    PublicJwk, StoreError,
};
use parking_lot::Mutex;

/// A publisher: what it publishes, whether it answers, and how often it was asked.
#[derive(Clone, Default)]
struct Publisher {
    keys: Arc<Mutex<Option<Jwks>>>,
    asked: Arc<AtomicUsize>,
}

#[async_trait]
impl JwksFetch for Publisher {
    async fn fetch(&self) -> Result<Jwks, StoreError> {
        self.asked.fetch_add(1, SeqCst);
        // Everybody who asks at once waits for this.
        tokio::task::yield_now().await;
        let keys = self.keys.lock().clone();
        keys.ok_or_else(|| StoreError::Unavailable("away".into()))
    }
}

impl Publisher {
    fn publish<'a>(&self, keys: impl IntoIterator<Item = &'a PublicJwk>) {
        *self.keys.lock() = Some(Jwks::new(keys.into_iter().cloned()));
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

struct World {
    publisher: Publisher,
    clock: Arc<ManualClock>,
    source: CachedKeySource,
    keys: [PublicJwk; 2],
}

fn world() -> World {
    let (publisher, clock) = (Publisher::default(), Arc::new(ManualClock::new(1_000_000)));
    let options = KeyCacheOptions {
        clock: clock.clone(),
        ..KeyCacheOptions::default()
    };
    let key = || {
        let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
        key.public().clone()
    };
    World {
        source: CachedKeySource::new(publisher.clone(), options),
        publisher,
        clock,
        keys: [key(), key()],
    }
}

impl World {
    async fn knows(&self, key: &PublicJwk) -> Result<bool, StoreError> {
        let found = self.source.key(key.kid()).await?;
        Ok(found.is_some_and(|found| found == *key))
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(i64::try_from(time.as_millis()).unwrap());
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_hundred_who_ask_at_once_cost_one_fetch() {
    let world = world();
    world.publisher.publish(&world.keys[..1]);
    let all = join_all((0..100).map(|_| world.knows(&world.keys[0]))).await;
    assert!(all.into_iter().all(|known| known.unwrap()));
    assert_eq!(world.publisher.asked(), 1);
}

#[tokio::test]
async fn a_new_key_is_found_at_once_and_an_unknown_one_costs_a_fetch_in_a_cool_down() {
    let world = world();
    world.publisher.publish(&world.keys[..1]);
    assert!(world.knows(&world.keys[0]).await.unwrap());
    world.pass(MINUTE);
    world.publisher.publish(&world.keys);
    assert!(world.knows(&world.keys[1]).await.unwrap());
    assert_eq!(world.publisher.asked(), 2);
    for number in 0..100 {
        let found = world.source.key(&format!("kid-{number}")).await.unwrap();
        assert_eq!(found, None);
    }
    assert_eq!(world.publisher.asked(), 2);
    world.pass(MINUTE);
    assert_eq!(world.source.key("kid").await.unwrap(), None);
    assert_eq!(world.publisher.asked(), 3);
}

#[tokio::test]
async fn a_key_that_is_no_longer_published_is_gone_after_the_sets_age() {
    let world = world();
    world.publisher.publish(&world.keys);
    assert!(world.knows(&world.keys[0]).await.unwrap());
    world.publisher.publish(&world.keys[1..]);
    world.pass(4 * MINUTE);
    assert!(world.knows(&world.keys[0]).await.unwrap());
    world.pass(MINUTE);
    assert!(!world.knows(&world.keys[0]).await.unwrap());
    assert!(world.knows(&world.keys[1]).await.unwrap());
}

#[tokio::test]
async fn a_publisher_that_is_away_stops_verification_after_an_hour() {
    let world = world();
    world.publisher.publish(&world.keys);
    assert!(world.knows(&world.keys[0]).await.unwrap());
    *world.publisher.keys.lock() = None;
    world.pass(59 * MINUTE);
    for _ in 0..10 {
        assert!(world.knows(&world.keys[0]).await.unwrap());
    }
    assert_eq!(world.publisher.asked(), 2, "one try in a cool-down");
    world.pass(2 * MINUTE);
    for _ in 0..10 {
        assert!(world.knows(&world.keys[0]).await.is_err());
    }
    assert_eq!(world.publisher.asked(), 3);
    world.publisher.publish(&world.keys);
    world.pass(MINUTE);
    assert!(world.knows(&world.keys[0]).await.unwrap());
}

#[tokio::test]
async fn a_publisher_that_never_answered_is_a_failure_and_no_unknown_key() {
    let world = world();
    for _ in 0..10 {
        assert!(world.source.key("kid").await.is_err());
    }
    assert_eq!(world.publisher.asked(), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_a_set_old() {
    let world = world();
    world.publisher.publish(&world.keys);
    assert!(world.knows(&world.keys[0]).await.unwrap());
    world.clock.advance(-3_600_000);
    assert!(world.knows(&world.keys[0]).await.unwrap());
    assert_eq!(world.publisher.asked(), 2);
}

/// A key that appears while the publisher is away is not unknown: nobody can tell.
#[tokio::test]
async fn a_key_that_cannot_be_looked_up_is_no_unknown_one() {
    let world = world();
    world.publisher.publish(&world.keys[..1]);
    assert!(world.knows(&world.keys[0]).await.unwrap());
    *world.publisher.keys.lock() = None;
    world.pass(MINUTE);
    for _ in 0..3 {
        assert!(world.knows(&world.keys[1]).await.is_err());
        assert!(world.knows(&world.keys[0]).await.unwrap());
    }
    assert_eq!(world.publisher.asked(), 2);
}

/// Whoever goes away in the middle of a fetch costs nobody another one.
#[tokio::test]
async fn callers_that_go_away_do_not_start_a_fetch_each() {
    let world = world();
    world.publisher.publish(&world.keys);
    for number in 0..100 {
        let mut asking = Box::pin(world.source.key("kid"));
        // Polled once: the fetch has begun and waits. Then its caller is gone.
        let polled = futures_util::poll!(&mut asking);
        assert!(polled.is_pending() || number > 0);
    }
    assert!(world.knows(&world.keys[0]).await.unwrap());
    assert!(world.publisher.asked() <= 1, "{}", world.publisher.asked());
}
