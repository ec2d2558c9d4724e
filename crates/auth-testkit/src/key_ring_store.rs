//! What every [`KeyRingStore`] must do; [`crate::key_ring_store_cases`] makes a test of each case.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use std::sync::Arc;

use auth_base::random::SystemRandom;
use jwt_auth::{Algorithm, PrivateKey};
use kms::{KeyId, KeyRing, KeyRingStore, KeyState, Revision, RingKey, RingName, RingPolicy};

/// Makes a test of each case. The expression makes a store without rings: `key_ring_store_cases!(memory, store());`.
#[macro_export]
macro_rules! key_ring_store_cases {
    ($implementation:ident, $make:expr) => {
        $crate::cases! {
            $implementation, $make, key_ring_store {
                an_unknown_ring_is_none,
                what_is_written_is_read,
                every_state_is_read_back,
                a_change_of_an_old_revision_is_refused,
                a_ring_begins_once,
                one_of_many_advances,
                rings_do_not_touch_each_other,
                a_forgotten_key_is_gone,
                what_is_asked_for_is_kept,
            }
        }
    };
}

const NOW: i64 = 1_800_000_000_000;

fn ring(name: &str) -> KeyRing {
    let name = RingName::parse(name).expect("a name of a ring");
    KeyRing::new(name, &SystemRandom).retire(NOW)
}

/// A key that nobody has, of either algorithm in turns.
pub fn ring_key(number: u64) -> RingKey {
    let algorithm = match number % 2 {
        0 => Algorithm::EdDsa,
        _ => Algorithm::Es256,
    };
    let key = PrivateKey::generate(algorithm).expect("a key");
    RingKey {
        public: key.public().clone(),
        provider: "main".to_owned(),
        external_id: KeyId::parse(&format!("key-{number}")).expect("a name of a key"),
        state: KeyState::Pending { since_ms: 0 },
    }
}

/// A ring with a key in each state: deleting, retiring, active, pending.
fn full_ring(name: &str) -> KeyRing {
    let policy = RingPolicy::default();
    let mut ring = ring(name);
    let mut now = NOW;
    for number in 0..3 {
        ring = ring
            .with_pending(ring_key(number), now)
            .expect("a pending key");
        now += 1_000_000_000;
        ring = ring
            .activate(now, &policy)
            .expect("an active key")
            .retire(now);
    }
    let ring = ring.with_pending(ring_key(3), now).expect("a pending key");
    let states: Vec<&str> = ring.keys().iter().map(|key| key.state.name()).collect();
    assert_eq!(states, ["deleting", "retiring", "active", "pending"]);
    ring
}

async fn write(store: &dyn KeyRingStore, expect: Revision, next: &KeyRing) -> bool {
    store
        .advance(expect, next)
        .await
        .expect("the store answers")
}

async fn read(store: &dyn KeyRingStore, name: &str) -> Option<KeyRing> {
    let name = RingName::parse(name).expect("a name of a ring");
    store.read(&name).await.expect("the store answers")
}

/// What nobody wrote is absent, and no error.
pub async fn an_unknown_ring_is_none(store: impl KeyRingStore) {
    assert_eq!(read(&store, "access").await, None);
    assert!(write(&store, Revision::default(), &ring("access")).await);
    for other in ["acces", "access1", "access_"] {
        assert_eq!(read(&store, other).await, None, "{other}");
    }
}

/// A ring without keys is a ring.
pub async fn what_is_written_is_read(store: impl KeyRingStore) {
    let first = ring("access");
    assert!(write(&store, Revision::default(), &first).await);
    assert_eq!(read(&store, "access").await, Some(first.clone()));
    let next = first.clone().with_pending(ring_key(0), NOW).expect("a key");
    assert!(write(&store, first.revision(), &next).await);
    assert_eq!(read(&store, "access").await, Some(next));
}

/// Nothing of a key gets lost: state, times, provider, names, order.
pub async fn every_state_is_read_back(store: impl KeyRingStore) {
    let full = full_ring("access");
    assert!(write(&store, Revision::default(), &full).await);
    let found = read(&store, "access").await.expect("the ring is known");
    assert_eq!(found, full);
    for (found, written) in found.keys().iter().zip(full.keys()) {
        assert_eq!(found.kid(), written.kid());
        assert_eq!(
            found.public.kid(),
            found.kid(),
            "published under its thumbprint"
        );
    }
    assert_eq!((found.tag(), found.made()), (full.tag(), full.made()));
}

/// Whoever read before somebody else wrote changes nothing.
pub async fn a_change_of_an_old_revision_is_refused(store: impl KeyRingStore) {
    let first = ring("access");
    assert!(write(&store, Revision::default(), &first).await);
    let second = first.clone().with_pending(ring_key(0), NOW).expect("a key");
    assert!(write(&store, first.revision(), &second).await);
    let late = first.clone().with_pending(ring_key(1), NOW).expect("a key");
    for wrong in [
        first.revision(),
        second.revision().next(),
        Revision::default(),
    ] {
        assert!(!write(&store, wrong, &late).await, "{wrong:?}");
    }
    assert_eq!(read(&store, "access").await, Some(second));
}

/// Of two new rings of one name, the first stays.
pub async fn a_ring_begins_once(store: impl KeyRingStore) {
    let (first, second) = (ring("access"), ring("access"));
    assert_ne!(first.tag(), second.tag());
    assert!(
        !write(&store, first.revision(), &first).await,
        "there is none yet"
    );
    assert!(write(&store, Revision::default(), &first).await);
    assert!(!write(&store, Revision::default(), &second).await);
    assert_eq!(read(&store, "access").await, Some(first));
}

/// Of several who expect one revision, exactly one wins.
pub async fn one_of_many_advances(store: impl KeyRingStore) {
    let store = Arc::new(store);
    let mut held = ring("access");
    assert!(write(&*store, Revision::default(), &held).await);
    for round in 0..5 {
        let writers = (0..8).map(|writer| {
            let (store, held) = (Arc::clone(&store), held.clone());
            tokio::spawn(async move {
                let next = held.clone().with_pending(ring_key(writer), NOW + round);
                let next = next.expect("a key");
                write(&*store, held.revision(), &next).await.then_some(next)
            })
        });
        let mut won = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            won.extend(writer.await.expect("no writer panics"));
        }
        assert_eq!(won.len(), 1);
        let found = read(&*store, "access").await.expect("the ring is known");
        assert_eq!(found, won[0]);
        let kid = found.keys()[0].kid().to_owned();
        let emptied = found
            .clone()
            .revoke(&kid, NOW)
            .and_then(|ring| ring.forget(&kid));
        let emptied = emptied.expect("the key goes");
        assert!(write(&*store, found.revision(), &emptied).await);
        held = emptied;
    }
}

/// Each ring has its own revision and keys.
pub async fn rings_do_not_touch_each_other(store: impl KeyRingStore) {
    let (one, other) = (full_ring("access"), full_ring("assertions"));
    assert!(write(&store, Revision::default(), &one).await);
    assert!(write(&store, Revision::default(), &other).await);
    let next = one.clone().retire(i64::MAX);
    assert!(write(&store, one.revision(), &next).await);
    assert_eq!(read(&store, "access").await, Some(next));
    assert_eq!(read(&store, "assertions").await, Some(other));
}

/// A key that is no longer in the ring is not read.
pub async fn a_forgotten_key_is_gone(store: impl KeyRingStore) {
    let full = full_ring("access");
    assert!(write(&store, Revision::default(), &full).await);
    let kid = full.keys()[0].kid().to_owned();
    let next = full.clone().forget(&kid).expect("it was to be deleted");
    assert!(write(&store, full.revision(), &next).await);
    let found = read(&store, "access").await.expect("the ring is known");
    assert!(found.find(&kid).is_none());
    assert_eq!(found, next);
}

/// That a key is asked for stays, with its name, until it is added.
pub async fn what_is_asked_for_is_kept(store: impl KeyRingStore) {
    let first = ring("access").ask(&SystemRandom);
    assert!(write(&store, Revision::default(), &first).await);
    let found = read(&store, "access").await.expect("the ring is known");
    assert_eq!((found.wanted(), &found), (first.wanted(), &first));
    let again = found.clone().ask(&SystemRandom);
    assert_ne!(again.wanted(), found.wanted());
    assert!(write(&store, first.revision(), &again).await);
    assert_eq!(read(&store, "access").await, Some(again.clone()));
    let next = again.clone().with_pending(ring_key(0), NOW).expect("a key");
    assert!(write(&store, again.revision(), &next).await);
    let found = read(&store, "access").await.expect("the ring is known");
    assert_eq!((found.wanted(), &found), (None, &next));
}
