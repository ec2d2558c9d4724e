//! The pure state machine, under any sequence of events.

use auth_base::SystemRandom;
use auth_testkit::key_ring_store::ring_key;
use kms::{KeyRing, KeyState, RingFault, RingName, RingPolicy};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    Pass(i64),
    Pending(u64),
    Activate,
    Retire,
    Ask,
    Revoke(prop::sample::Index),
    Forget(prop::sample::Index),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_i64..2_000_000).prop_map(Event::Pass),
        3 => any::<u64>().prop_map(Event::Pending),
        4 => Just(Event::Activate),
        2 => Just(Event::Retire),
        1 => Just(Event::Ask),
        1 => any::<prop::sample::Index>().prop_map(Event::Revoke),
        2 => any::<prop::sample::Index>().prop_map(Event::Forget),
    ]
}

fn kid(ring: &KeyRing, index: &prop::sample::Index) -> String {
    match ring.keys().is_empty() {
        true => "nobody".to_owned(),
        false => index.get(ring.keys()).kid().to_owned(),
    }
}

fn apply(
    ring: KeyRing,
    event: &Event,
    now: i64,
    policy: &RingPolicy,
) -> Result<KeyRing, RingFault> {
    match event {
        Event::Pass(_) => Ok(ring),
        Event::Pending(number) => ring.with_pending(ring_key(number % 1000), now),
        Event::Activate => ring.activate(now, policy),
        Event::Retire => Ok(ring.retire(now)),
        Event::Ask => Ok(ring.ask(&SystemRandom)),
        Event::Revoke(index) => {
            let kid = kid(&ring, index);
            ring.revoke(&kid, now)
        }
        Event::Forget(index) => {
            let kid = kid(&ring, index);
            ring.forget(&kid)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_ring_stays_a_ring_whatever_happens(events in prop::collection::vec(event(), 0..60)) {
        let policy = RingPolicy::default();
        let name = RingName::parse("access").unwrap();
        let (mut ring, mut now) = (KeyRing::new(name, &SystemRandom), 1_800_000_000_000);
        for event in events {
            if let Event::Pass(ms) = event {
                now += ms;
                continue;
            }
            let before = ring.clone();
            ring = match apply(ring, &event, now, &policy) {
                Ok(next) => {
                    prop_assert_eq!(next.revision(), before.revision().next());
                    next
                }
                Err(_) => before.clone(),
            };
            // Whatever it is, it can be stored and read again.
            let (name, tag) = (ring.name().clone(), ring.tag().to_owned());
            let read = KeyRing::from_parts(name, tag, ring.revision(), ring.made(), ring.wanted().map(str::to_owned), ring.keys().to_vec());
            prop_assert_eq!(read.as_ref(), Ok(&ring));
            // The active key goes when the next one comes, or because it has leaked.
            let is_revoked = matches!(event, Event::Revoke(_));
            prop_assert!(is_revoked || before.active().is_none() || ring.active().is_some());
            for key in ring.keys() {
                let is_published = ring.jwks(now).find(key.kid()).is_some();
                prop_assert_eq!(is_published, key.is_published(now));
                prop_assert!(is_published || !key.may_sign(now, &policy), "who signs is published");
                let was = before.find(key.kid()).map(|key| key.state);
                if let KeyState::Active { since_ms } = key.state
                    && let Some(KeyState::Pending { since_ms: published }) = was
                {
                    let is_first = before.active().is_none();
                    prop_assert!(is_first || since_ms - published >= 370_000, "published before it signs");
                }
                if let (Some(KeyState::Retiring { until_ms, .. }), KeyState::Deleting { since_ms }) = (was, key.state) {
                    prop_assert!(is_revoked || until_ms <= since_ms, "published as long as its tokens are valid");
                }
            }
        }
    }
}
