//! Who asked for a change stays at the peer that accepted it: in its audit, and in no event.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::ManualClock;
use auth_base::random::Random;
use auth_base::secret::Secret;
use hmac_auth::credential::ClientId;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_propagation::broker::Broker;
use hmac_propagation::delivery::Transition;
use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore};
use hmac_propagation::options::{Ensure, Newer, Resync, Revoke, Rotate, Settings};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, Track};
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;

const CLIENT: &str = "client";
const FIRST: &str = "the first secret of a client";
const SECOND: &str = "the second secret of a client";

/// Chance that is always the same: two worlds differ in nothing then.
struct Always;

impl Random for Always {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// A source alone with the queue of its target, which nobody empties.
struct World {
    source: Propagator,
    management: Arc<MemoryManagement>,
    clock: Arc<ManualClock>,
    bus: MemoryBus,
}

fn target() -> PeerName {
    PeerName::parse("target").unwrap()
}

impl World {
    fn new() -> Self {
        let (bus, clock) = (
            MemoryBus::new(),
            Arc::new(ManualClock::new(1_700_000_000_000)),
        );
        let management = Arc::new(MemoryManagement::with_clock(clock.clone()));
        management.put_target(target(), Secret::new("entry-secret-of-target"));
        let (http, message) = (MemoryCredentialStore::new(), MemoryCredentialStore::new());
        let source = Propagator::builder(
            PeerName::parse("source").unwrap(),
            Secret::new("entry-secret-of-source"),
            Arc::new(MemoryBroker::connect(&bus)),
            Arc::new(MemoryPeerStore::new(http, message)),
        )
        .management(management.clone())
        .clock(clock.clone())
        .random(Arc::new(Always))
        .settings(Settings {
            sync_on_change: false,
            sync_interval: Duration::from_secs(3_600),
            ..Settings::default()
        })
        .start();
        Self {
            source,
            management,
            clock,
            bus,
        }
    }

    /// Everything that a caller may ask for, each sent by a sync; the last one is sent twice.
    async fn change_everything(&self, origin: &Origin) {
        let ensure = Ensure::new(CLIENT, Secret::new(FIRST)).targets(["target"]);
        let rotate = Rotate::new(CLIENT, Secret::new(SECOND));
        let resync = Resync::client(CLIENT, Track::Http).newer(Newer::Overwrite);
        let revoke = Revoke::new(CLIENT).targets(["target"]);
        let source = &self.source;
        source.ensure(ensure.origin(origin.clone())).await.unwrap();
        source.sync(origin).await.unwrap();
        source.rotate(rotate.origin(origin.clone())).await.unwrap();
        source.sync(origin).await.unwrap();
        source.resync(resync.origin(origin.clone())).await.unwrap();
        source.revoke(revoke.origin(origin.clone())).await.unwrap();
        source.sync(origin).await.unwrap();
        self.until_marked().await;
        self.clock.advance(3_600_000);
        source.sync(origin).await.unwrap();
    }

    /// Waits until what was sent is booked as sent: a later sync may find it overdue then.
    async fn until_marked(&self) {
        while !self.transitions().contains(&Transition::Revoked)
            || self.transitions().last() != Some(&Transition::Sent)
        {
            tokio::task::yield_now().await;
        }
    }

    fn transitions(&self) -> Vec<Transition> {
        let history = self.management.history(&key());
        history.into_iter().map(|entry| entry.transition).collect()
    }

    /// What waits in the target's queue, as it goes over the wire.
    async fn events(&self) -> Vec<Vec<u8>> {
        let broker = MemoryBroker::connect(&self.bus);
        let mut subscription = broker.subscribe(&target(), 100).await.unwrap();
        let events = subscription.next(100).await;
        events.iter().map(|event| event.body.clone()).collect()
    }
}

fn key() -> CredentialKey {
    CredentialKey {
        track: Track::Http,
        client_id: ClientId::parse(CLIENT).unwrap(),
    }
}

#[tokio::test]
async fn an_event_is_the_same_bytes_whoever_asked_for_it() {
    let (asked, open) = (World::new(), World::new());
    let ada = Origin::of("ada@example.org").in_request(Some("request-1"));
    asked.change_everything(&ada).await;
    open.change_everything(&Origin::default()).await;
    let events = asked.events().await;
    assert_eq!(events.len(), 5);
    for event in &events {
        let text = String::from_utf8_lossy(event);
        assert!(
            !text.contains("ada@") && !text.contains("request-1"),
            "{text}"
        );
    }
    assert_eq!(events, open.events().await);
}

#[tokio::test]
async fn the_audit_says_who_asked() {
    let ada = Origin::of("ada@example.org").in_request(Some("request-1"));
    for origin in [ada, Origin::default()] {
        let world = World::new();
        world.change_everything(&origin).await;
        let asked_for = [
            Transition::Ensured,
            Transition::Rotated,
            Transition::Rebooked,
            Transition::Revoked,
            Transition::Claimed,
        ];
        let mut seen = Vec::new();
        for entry in world.management.history(&key()) {
            if asked_for.contains(&entry.transition) {
                assert_eq!(entry.origin, origin, "{entry:?}");
                seen.push(entry.transition);
            } else {
                assert_eq!(entry.origin, Origin::default(), "{entry:?}");
            }
        }
        assert_eq!(seen, asked_for);
    }
}
