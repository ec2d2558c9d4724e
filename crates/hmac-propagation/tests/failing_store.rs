//! A peer's store that is away, or refuses: deliveries wait, nothing spins, nothing is lost.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::Clock;
use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use hmac_auth::credential::Change;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore};
use hmac_propagation::options::{Ensure, Settings};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{
    AckResult, Applied, Apply, CredentialKey, FinalStatus, InFlight, PeerStore, Stamp, Track,
};
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;

const WORKS: u8 = 0;
const AWAY: u8 = 1;
const REFUSES: u8 = 2;
const HANGS: u8 = 3;
const SLOW: u8 = 4;

/// What a slow store takes, within its timeout.
const SLOWLY: Duration = Duration::from_millis(3_500);

/// A store whose `apply` fails as told.
struct Failing {
    inner: MemoryPeerStore,
    mood: AtomicU8,
    calls: AtomicU32,
}

#[async_trait]
impl PeerStore for Failing {
    fn tracks(&self) -> &[Track] {
        self.inner.tracks()
    }

    async fn apply(&self, batch: &[Apply]) -> Vec<Result<Applied, StoreError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let fail = |error: fn() -> StoreError| batch.iter().map(|_| Err(error())).collect();
        match self.mood.load(Ordering::SeqCst) {
            AWAY => fail(|| StoreError::Unavailable("away".into())),
            REFUSES => fail(|| StoreError::Refused("read-only".into())),
            HANGS => std::future::pending().await,
            SLOW => {
                tokio::time::sleep(SLOWLY).await;
                self.inner.apply(batch).await
            }
            _ => self.inner.apply(batch).await,
        }
    }

    async fn cursors(&self, keys: &[CredentialKey]) -> Result<Vec<Option<Stamp>>, StoreError> {
        self.inner.cursors(keys).await
    }

    async fn book(&self, events: &[InFlight]) -> Result<(), StoreError> {
        self.inner.book(events).await
    }

    async fn find(&self, event_ids: &[String]) -> Result<Vec<Option<InFlight>>, StoreError> {
        self.inner.find(event_ids).await
    }

    async fn complete(
        &self,
        events: &[(InFlight, AckResult)],
    ) -> Result<Vec<Option<FinalStatus>>, StoreError> {
        self.inner.complete(events).await
    }

    async fn discard(&self, events: &[InFlight]) -> Result<(), StoreError> {
        self.inner.discard(events).await
    }
}

/// The test's own time, for everybody.
struct TestClock(tokio::time::Instant);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

struct World {
    management: Arc<MemoryManagement>,
    source: Propagator,
    target_store: Arc<Failing>,
    target: Propagator,
    bus: MemoryBus,
}

fn name(text: &str) -> PeerName {
    PeerName::parse(text).unwrap()
}

fn secret(peer: &str) -> Secret {
    Secret::new(format!("propagation-secret-of-{peer}"))
}

fn world() -> World {
    world_with(Settings::default())
}

fn world_with(settings: Settings) -> World {
    let bus = MemoryBus::new();
    let clock = Arc::new(TestClock(tokio::time::Instant::now()));
    let management = Arc::new(MemoryManagement::with_clock(clock.clone()));
    management.put_target(name("target"), secret("target"));
    let store = || MemoryPeerStore::new(MemoryCredentialStore::new(), MemoryCredentialStore::new());
    let broker = || Arc::new(MemoryBroker::connect(&bus));
    let source = Propagator::builder(
        name("source"),
        secret("source"),
        broker(),
        Arc::new(store()),
    )
    .management(management.clone())
    .settings(settings)
    .clock(clock.clone())
    .start();
    let target_store = Arc::new(Failing {
        inner: store(),
        mood: AtomicU8::new(WORKS),
        calls: AtomicU32::new(0),
    });
    let target = Propagator::builder(
        name("target"),
        secret("target"),
        broker(),
        target_store.clone(),
    )
    .sources([(name("source"), secret("source"))])
    .clock(clock)
    .start();
    World {
        management,
        source,
        target_store,
        target,
        bus,
    }
}

impl World {
    async fn ensure(&self) {
        let ensure = Ensure {
            client_id: "client".into(),
            secret: Secret::new("a-secret-of-client"),
            targets: vec!["target".into()],
            track: Track::Http,
            allowed_ips: Change::Keep,
            expires_at: Change::Keep,
            origin: Origin::default(),
        };
        self.source.ensure(ensure).await.unwrap();
    }

    fn status(&self) -> DeliveryStatus {
        self.management.deliveries()[0].status
    }

    /// Lets the test's clock run.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_store_slows_it_does_not_spin() {
    for mood in [AWAY, HANGS] {
        let world = world();
        world.target_store.mood.store(mood, Ordering::SeqCst);
        world.ensure().await;
        world.pass(Duration::from_secs(40)).await;
        assert_eq!(world.status(), DeliveryStatus::Sent, "nothing was answered");
        assert_eq!(
            world.bus.depth(&name("target")),
            Some(0),
            "the delivery is in hand, unsettled"
        );
        let calls = world.target_store.calls.load(Ordering::SeqCst);
        assert!((3..=20).contains(&calls), "{calls} calls in 40 s");
        assert!(
            world
                .target
                .status()
                .last_error
                .unwrap()
                .contains("peer store")
        );
        world.target_store.mood.store(WORKS, Ordering::SeqCst);
        world.pass(Duration::from_secs(11)).await;
        assert_eq!(world.status(), DeliveryStatus::Success);
        assert_eq!(world.target.status().last_error, None);
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_gives_back_what_could_not_be_applied() {
    let world = world();
    world.target_store.mood.store(AWAY, Ordering::SeqCst);
    world.ensure().await;
    world.pass(Duration::from_secs(2)).await;
    world.target.close().await;
    assert_eq!(world.bus.depth(&name("target")), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_is_reported_to_the_source_and_tried_again() {
    let world = world();
    world.target_store.mood.store(REFUSES, Ordering::SeqCst);
    world.ensure().await;
    world.pass(Duration::from_secs(40)).await;
    assert_eq!(world.status(), DeliveryStatus::Error);
    assert!(
        world.management.deliveries()[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("refused")
    );
    world.target_store.mood.store(WORKS, Ordering::SeqCst);
    world.pass(Duration::from_secs(70)).await;
    assert_eq!(
        world.status(),
        DeliveryStatus::Success,
        "sent again when overdue"
    );
}

/// A target so busy that every answer comes after the next try was sent: as long as tries mean the same, any answer will do.
#[tokio::test(start_paused = true)]
async fn an_answer_later_than_the_next_try_counts() {
    let second = Duration::from_secs(1);
    let world = world_with(Settings {
        resend_after: second,
        sync_interval: second,
        ..Settings::default()
    });
    world.target_store.mood.store(SLOW, Ordering::SeqCst);
    world.ensure().await;
    for _ in 0..60 {
        tokio::time::sleep(second).await;
        if world
            .management
            .deliveries()
            .iter()
            .all(|row| row.status == DeliveryStatus::Success)
        {
            return;
        }
    }
    panic!(
        "answered for a minute, and not done: {:?}",
        world.source.counters()
    );
}
