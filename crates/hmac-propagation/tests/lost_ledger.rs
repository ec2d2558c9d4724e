//! A ledger that waits for an event which nobody will acknowledge: the plain secret goes all the same.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::Clock;
use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use hmac_auth::credential::ClientId;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore};
use hmac_propagation::options::Ensure;
use hmac_propagation::peer_store::{
    AckResult, Applied, Apply, CredentialKey, FinalStatus, InFlight, PeerStore, Stamp, Track,
};
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;

/// As one in which a booking arrived late, after its event was superseded.
struct Waiting(MemoryPeerStore);

#[async_trait]
impl PeerStore for Waiting {
    fn tracks(&self) -> &[Track] {
        self.0.tracks()
    }

    async fn apply(&self, batch: &[Apply]) -> Vec<Result<Applied, StoreError>> {
        self.0.apply(batch).await
    }

    async fn cursors(&self, keys: &[CredentialKey]) -> Result<Vec<Option<Stamp>>, StoreError> {
        self.0.cursors(keys).await
    }

    async fn book(&self, events: &[InFlight]) -> Result<(), StoreError> {
        self.0.book(events).await
    }

    async fn find(&self, event_ids: &[String]) -> Result<Vec<Option<InFlight>>, StoreError> {
        self.0.find(event_ids).await
    }

    async fn complete(
        &self,
        events: &[(InFlight, AckResult)],
    ) -> Result<Vec<Option<FinalStatus>>, StoreError> {
        Ok(self
            .0
            .complete(events)
            .await?
            .iter()
            .map(|_| None)
            .collect())
    }

    async fn discard(&self, events: &[InFlight]) -> Result<(), StoreError> {
        self.0.discard(events).await
    }
}

/// The test's own time.
struct TestClock(tokio::time::Instant);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn no_plain_secret_at_rest_after_propagation() {
    let (bus, clock) = (
        MemoryBus::new(),
        Arc::new(TestClock(tokio::time::Instant::now())),
    );
    let name = |text: &str| PeerName::parse(text).unwrap();
    let secret = |of: &str| Secret::new(format!("the propagation secret of {of}"));
    let store = || MemoryPeerStore::new(MemoryCredentialStore::new(), MemoryCredentialStore::new());
    let management = Arc::new(MemoryManagement::new());
    management.put_target(name("target"), secret("target"));
    let broker = || Arc::new(MemoryBroker::connect(&bus));
    let source = Propagator::builder(
        name("source"),
        secret("source"),
        broker(),
        Arc::new(Waiting(store())),
    )
    .management(management.clone())
    .clock(clock.clone())
    .start();
    let _target = Propagator::builder(
        name("target"),
        secret("target"),
        broker(),
        Arc::new(store()),
    )
    .sources([(name("source"), secret("source"))])
    .clock(clock)
    .start();
    let ensure = Ensure::new("client", Secret::new("a secret of a client")).targets(["target"]);
    source.ensure(ensure).await.unwrap();
    let key = CredentialKey {
        track: Track::Http,
        client_id: ClientId::parse("client").unwrap(),
    };
    for _ in 0..70 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !management.holds_plain(&key) {
            break;
        }
    }
    assert!(
        management
            .deliveries()
            .iter()
            .all(|row| row.status == DeliveryStatus::Success)
    );
    assert!(
        !management.holds_plain(&key),
        "the plain secret is still there long after the last answer"
    );
}
