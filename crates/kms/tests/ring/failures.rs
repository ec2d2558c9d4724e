//! Providers and stores that fail: what goes on, what does not, and that nothing gets lost.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jwt_auth::{Algorithm, KeySource as _, PrivateKey, SignError, Signer as _};
use kms::{KeyId, KeyManagement as _, RingError, RingPolicy};
use tokio::time::Instant;

use crate::faulty::World;

#[tokio::test]
async fn without_the_provider_verification_goes_on_and_signing_is_unavailable() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    keeper.tick().await.unwrap();
    let signer = keeper.signer().await.unwrap();
    let signature = signer.sign(b"input").await.unwrap();
    World::turn(&world.kms.away, true);
    for _ in 0..5 {
        world.pass(3_600);
        keeper.tick().await.unwrap();
        let signer = keeper.signer().await.unwrap();
        let refused = signer.sign(b"input").await.unwrap_err();
        assert!(matches!(refused, SignError::Unavailable(_)), "{refused:?}");
        let key = keeper.key(signer.key().kid()).await.unwrap().unwrap();
        assert_eq!(key.verify(b"input", &signature), Ok(()));
        assert_eq!(keeper.jwks().await.unwrap().keys.keys().len(), 1);
    }
    World::turn(&world.kms.away, false);
    keeper.signer().await.unwrap().sign(b"input").await.unwrap();
}

#[tokio::test]
async fn a_rotation_that_is_due_waits_for_the_provider() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    keeper.tick().await.unwrap();
    World::turn(&world.kms.away, true);
    world.pass(31 * 86_400);
    let failed = keeper.tick().await.unwrap_err();
    assert!(matches!(failed, RingError::Kms { .. }), "{failed:?}");
    assert_eq!(
        keeper.jwks().await.unwrap().keys.keys().len(),
        1,
        "the old key is still published"
    );
    World::turn(&world.kms.away, false);
    keeper.tick().await.unwrap();
    assert_eq!(keeper.jwks().await.unwrap().keys.keys().len(), 2);
}

#[tokio::test]
async fn a_delete_that_failed_is_finished_later() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    keeper.tick().await.unwrap();
    let old = keeper.signer().await.unwrap();
    keeper.rotate().await.unwrap();
    World::turn(&world.kms.refuses_deletes, true);
    world.pass(370);
    keeper.tick().await.unwrap();
    world.pass(970);
    let undeleted = keeper.tick().await.unwrap();
    assert_eq!(undeleted.len(), 1);
    assert_eq!(undeleted[0].kid, old.key().kid());
    assert!(matches!(undeleted[0].error, RingError::Kms { .. }));
    let ring = keeper.ring().await.unwrap();
    assert_eq!(ring.find(old.key().kid()).unwrap().state.name(), "deleting");
    assert!(
        keeper
            .jwks()
            .await
            .unwrap()
            .keys
            .find(old.key().kid())
            .is_none()
    );
    assert_eq!(world.kms.keys.health().await.unwrap().key_count, Some(2));
    // Another replica, later.
    World::turn(&world.kms.refuses_deletes, false);
    let other = world.keeper(RingPolicy::default());
    assert!(other.tick().await.unwrap().is_empty());
    assert!(other.ring().await.unwrap().find(old.key().kid()).is_none());
    assert_eq!(world.kms.keys.health().await.unwrap().key_count, Some(1));
}

#[tokio::test]
async fn a_key_whose_booking_got_lost_is_found_again() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    World::turn(&world.store.loses_a_write, true);
    assert!(keeper.tick().await.is_err());
    keeper.tick().await.unwrap();
    keeper.signer().await.unwrap().sign(b"input").await.unwrap();
    assert_eq!(world.kms.made.load(Ordering::SeqCst), 1);
    // With another algorithm asked for meanwhile, the lost key is no use, and is left alone: another replica may find it.
    let keeper = world.keeper(RingPolicy {
        algorithm: Algorithm::Es256,
        ..RingPolicy::default()
    });
    let eddsa = world.keeper(RingPolicy::default());
    World::turn(&world.store.loses_a_write, true);
    assert!(eddsa.rotate().await.is_err());
    keeper.rotate().await.unwrap();
    let ring = keeper.ring().await.unwrap();
    assert_eq!(ring.pending().unwrap().public.alg(), "ES256");
    assert_eq!(world.kms.keys.health().await.unwrap().key_count, Some(3));
}

/// A replica with another policy, which is slow to hear that its key is there already.
#[tokio::test]
async fn replicas_of_different_policies_delete_no_key_of_each_other() {
    for (mine, others) in [
        (Algorithm::EdDsa, Algorithm::Es256),
        (Algorithm::Es256, Algorithm::EdDsa),
    ] {
        let world = World::new();
        let keeper = |algorithm| {
            world.keeper(RingPolicy {
                algorithm,
                ..RingPolicy::default()
            })
        };
        let (mine, other) = (keeper(mine), keeper(others));
        // The write of the other one is lost after a key was made: it comes again when mine is active.
        World::turn(&world.store.loses_a_write, true);
        assert!(other.tick().await.is_err());
        world.kms.slow_to_generate.store(1, Ordering::SeqCst);
        let late = tokio::spawn(async move { other.tick().await.map(drop) });
        tokio::task::yield_now().await;
        mine.tick().await.unwrap();
        world.kms.go_on.notify_one();
        drop(late.await.unwrap());
        mine.signer().await.unwrap().sign(b"input").await.unwrap();
    }
}

/// Some providers make a second key under a name that is taken.
#[tokio::test]
async fn a_key_that_its_provider_lost_never_becomes_active() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    keeper.tick().await.unwrap();
    let old = keeper.signer().await.unwrap();
    keeper.rotate().await.unwrap();
    for is_replaced in [true, false] {
        let pending = keeper.ring().await.unwrap().pending().unwrap().clone();
        world.kms.keys.delete(&pending.external_id).await.unwrap();
        if is_replaced {
            let again = world
                .kms
                .keys
                .generate(&pending.external_id, Algorithm::EdDsa);
            again.await.unwrap();
        }
        world.pass(370);
        let given_up = keeper.tick().await.unwrap_err();
        assert!(matches!(given_up, RingError::Kms { .. }), "{given_up:?}");
        assert_eq!(keeper.signer().await.unwrap().key(), old.key());
        let published = keeper.jwks().await.unwrap().keys;
        assert!(published.find(pending.kid()).is_none());
        // The rotation was asked for, and goes on.
        keeper.tick().await.unwrap();
        let ring = keeper.ring().await.unwrap();
        assert_eq!(ring.keys().len(), 2);
        assert_ne!(ring.pending().unwrap().kid(), pending.kid());
    }
    // While the provider is away, nobody knows: the key waits.
    World::turn(&world.kms.away, true);
    world.pass(370);
    assert!(keeper.tick().await.is_err());
    assert!(keeper.ring().await.unwrap().pending().is_some());
    World::turn(&world.kms.away, false);
    keeper.tick().await.unwrap();
    assert_ne!(keeper.signer().await.unwrap().key(), old.key());
}

#[tokio::test]
async fn public_keys_that_are_known_are_not_asked_for() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    keeper.tick().await.unwrap();
    // Another process, which has made no key itself.
    let other = world.keeper(RingPolicy::default());
    for _ in 0..100 {
        other.signer().await.unwrap().sign(b"input").await.unwrap();
    }
    assert_eq!(world.kms.asked_for_public_keys.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn without_the_store_nothing_is_signed_and_old_key_sets_count_for_a_while() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    keeper.tick().await.unwrap();
    let signer = keeper.signer().await.unwrap();
    let kid = signer.key().kid();
    World::turn(&world.store.away, true);
    signer.sign(b"input").await.unwrap();
    world.pass(11);
    let refused = signer.sign(b"input").await.unwrap_err();
    assert!(matches!(refused, SignError::Unavailable(_)));
    assert!(keeper.tick().await.is_err());
    assert!(keeper.key(kid).await.unwrap().is_some());
    assert_eq!(keeper.jwks().await.unwrap().keys.keys().len(), 1);
    world.pass(300);
    assert!(
        keeper.key(kid).await.is_err(),
        "nothing is accepted any more"
    );
}

#[tokio::test]
async fn a_clock_that_steps_back_makes_no_view_fresh() {
    let world = World::new();
    let (keeper, other) = (
        world.keeper(RingPolicy::default()),
        world.keeper(RingPolicy::default()),
    );
    keeper.tick().await.unwrap();
    let signer = other.signer().await.unwrap();
    let kid = signer.key().kid();
    world.pass(-86_400);
    keeper.revoke(kid).await.unwrap();
    assert_eq!(other.key(kid).await.unwrap(), None);
    assert!(signer.sign(b"input").await.is_err());
    world.pass(-86_400);
    World::turn(&world.store.away, true);
    assert!(other.key(kid).await.is_err(), "nobody knows how old it is");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_stops_no_verification() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    keeper.tick().await.unwrap();
    let signer = keeper.signer().await.unwrap();
    let kid = signer.key().kid().to_owned();
    World::turn(&world.store.silent, true);
    world.pass(11);
    let reads = world.store.reads.load(Ordering::SeqCst);
    let began = Instant::now();
    // Signing needs a fresh view: one reads for all, and all share what comes of it.
    let signing: Vec<_> = (0..50)
        .map(|_| {
            let signer = signer.clone();
            tokio::spawn(async move { signer.sign(b"input").await })
        })
        .collect();
    tokio::task::yield_now().await;
    for _ in 0..50 {
        assert!(keeper.key(&kid).await.unwrap().is_some());
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "nobody waits who need not");
    for signed in signing {
        let refused = signed.await.unwrap().unwrap_err();
        assert!(matches!(refused, SignError::Unavailable(_)), "{refused:?}");
    }
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    assert_eq!(world.store.reads.load(Ordering::SeqCst), reads + 1);
    // Where nobody else reads, one verifier tries for a second, and the others do not.
    tokio::time::advance(Duration::from_secs(2)).await;
    let began = Instant::now();
    for _ in 0..50 {
        assert!(keeper.key(&kid).await.unwrap().is_some());
    }
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert_eq!(world.store.reads.load(Ordering::SeqCst), reads + 2);
    // A turn ends too, and so does a verification that has no view to go by.
    assert!(keeper.tick().await.is_err());
    world.pass(300);
    assert!(keeper.key(&kid).await.is_err());
}

#[tokio::test]
async fn a_replica_that_only_publishes_publishes_no_revoked_key() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    let publisher = world.keeper(RingPolicy::default());
    let empty = publisher.jwks().await.unwrap();
    assert!(empty.keys.keys().is_empty());
    assert_eq!(empty.max_age, Duration::ZERO, "a key may sign at any time");
    keeper.tick().await.unwrap();
    let leaked = keeper.signer().await.unwrap().key().kid().to_owned();
    let published = publisher.jwks().await.unwrap();
    assert!(published.keys.find(&leaked).is_some());
    assert_eq!(published.max_age, Duration::from_secs(300));
    keeper.revoke(&leaked).await.unwrap();
    keeper.tick().await.unwrap();
    world.pass(10);
    let published = publisher.jwks().await.unwrap();
    assert!(published.keys.find(&leaked).is_none());
    assert_eq!(published.keys.keys().len(), 1);
    // While the store is away, the whole time from reading to forgetting stays what verifiers may take.
    World::turn(&world.store.away, true);
    world.pass(200);
    let published = publisher.jwks().await.unwrap();
    assert_eq!(published.keys.keys().len(), 1);
    assert_eq!(published.max_age, Duration::from_secs(100));
    world.pass(100);
    assert!(publisher.jwks().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn turns_are_taken_as_often_as_a_view_lives_at_least() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    let running = tokio::spawn(async move { keeper.run(Duration::from_secs(86_400)).await });
    tokio::time::sleep(Duration::from_secs(35)).await;
    assert_eq!(world.store.reads.load(Ordering::SeqCst), 4);
    running.abort();
}

#[tokio::test]
async fn no_key_is_published_that_has_not_signed() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    let kids = || async {
        let published = keeper.jwks().await.unwrap().keys;
        let kids = published.keys().iter().map(|key| key.kid().to_owned());
        kids.collect::<Vec<_>>()
    };
    // The provider shows a key, and does not sign with it.
    World::turn(&world.kms.refuses_signing, true);
    for _ in 0..3 {
        let given_up = keeper.tick().await.unwrap_err();
        assert!(matches!(given_up, RingError::Kms { .. }), "{given_up:?}");
        assert!(kids().await.is_empty());
    }
    World::turn(&world.kms.refuses_signing, false);
    keeper.tick().await.unwrap();
    keeper.tick().await.unwrap();
    let first = kids().await;
    assert_eq!(first.len(), 1);
    assert_eq!(world.kms.keys.health().await.unwrap().key_count, Some(1));
    // What was published, and signs no more, is given up as well, whatever the provider says.
    keeper.rotate().await.unwrap();
    World::turn(&world.kms.refuses_signing, true);
    world.pass(370);
    assert!(keeper.tick().await.is_err());
    assert_eq!(kids().await, first);
    // While our credentials are refused, nobody knows.
    World::turn(&world.kms.refuses_signing, false);
    World::turn(&world.kms.denies, true);
    assert!(keeper.rotate().await.is_err());
    World::turn(&world.kms.denies, false);
    while keeper.ring().await.unwrap().pending().is_none() {
        drop(keeper.rotate().await);
    }
    World::turn(&world.kms.denies, true);
    world.pass(370);
    assert!(keeper.tick().await.is_err());
    assert!(keeper.ring().await.unwrap().pending().is_some());
}

#[tokio::test]
async fn a_key_that_somebody_put_there_before_is_not_taken() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    keeper.tick().await.unwrap();
    let ring = keeper.ring().await.unwrap();
    assert_eq!(
        ring.wanted(),
        None,
        "nobody knows what the next one is called"
    );
    // Who knows what the first one was called says what follows from it.
    let first = ring.active().unwrap().external_id.as_str();
    let (stem, drawn) = first.rsplit_once('-').unwrap();
    assert_eq!(drawn.len(), 32);
    let stem = stem.replace("-1-EdDSA", "-2");
    let planted = PrivateKey::generate(Algorithm::EdDsa).unwrap();
    for guess in [
        stem.clone(),
        format!("{stem}-EdDSA"),
        format!("{stem}-EdDSA-{drawn}"),
    ] {
        let guess = KeyId::parse(&guess).unwrap();
        world.kms.keys.import(&guess, &planted).await.unwrap();
    }
    keeper.rotate().await.unwrap();
    let ring = keeper.ring().await.unwrap();
    let pending = ring.pending().unwrap();
    assert_ne!(pending.kid(), planted.public().thumbprint());
    assert!(pending.external_id.as_str().starts_with(&stem));
}

#[tokio::test]
async fn a_rotation_that_was_asked_for_is_not_forgotten() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    keeper.tick().await.unwrap();
    World::turn(&world.kms.away, true);
    assert!(keeper.rotate().await.is_err());
    World::turn(&world.kms.away, false);
    // Another replica goes on, and later too.
    let other = world.keeper(RingPolicy::default());
    world.pass(100);
    other.tick().await.unwrap();
    assert!(other.ring().await.unwrap().pending().is_some());
    world.pass(370);
    other.tick().await.unwrap();
    let ring = other.ring().await.unwrap();
    assert_eq!(
        (ring.made(), ring.wanted(), ring.pending()),
        (2, None, None)
    );
}

#[tokio::test]
async fn an_active_key_that_is_lost_is_replaced() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    keeper.tick().await.unwrap();
    let lost = keeper.ring().await.unwrap().active().unwrap().clone();
    let signer = keeper.signer().await.unwrap();
    // What one caller did wrong, and what passes, costs no key.
    let too_large = vec![0; 1024 * 1024];
    assert!(signer.sign(&too_large).await.is_err());
    World::turn(&world.kms.away, true);
    assert!(signer.sign(b"input").await.is_err());
    World::turn(&world.kms.away, false);
    keeper.tick().await.unwrap();
    assert!(keeper.ring().await.unwrap().pending().is_none());
    world.kms.keys.delete(&lost.external_id).await.unwrap();
    assert!(signer.sign(b"input").await.is_err());
    keeper.tick().await.unwrap();
    assert!(keeper.ring().await.unwrap().pending().is_some());
    world.pass(370);
    keeper.tick().await.unwrap();
    let next = keeper.signer().await.unwrap();
    assert_ne!(next.key().kid(), lost.kid());
    next.sign(b"input").await.unwrap();
}

#[tokio::test]
async fn a_full_ring_makes_no_key() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    World::turn(&world.kms.refuses_deletes, true);
    World::turn(&world.kms.refuses_signing, true);
    for _ in 0..20 {
        drop(keeper.tick().await);
    }
    let ring = keeper.ring().await.unwrap();
    assert_eq!(ring.deleting().count(), 16);
    assert_eq!(world.kms.made.load(Ordering::SeqCst), 16);
    World::turn(&world.kms.refuses_deletes, false);
    World::turn(&world.kms.refuses_signing, false);
    drop(keeper.tick().await);
    keeper.tick().await.unwrap();
    keeper.signer().await.unwrap().sign(b"input").await.unwrap();
    assert_eq!(world.kms.keys.health().await.unwrap().key_count, Some(1));
}

#[tokio::test(start_paused = true)]
async fn deletions_that_hang_last_once_and_stop_no_rotation() {
    let world = World::new();
    let keeper = world.keeper(RingPolicy::default());
    keeper.tick().await.unwrap();
    World::turn(&world.kms.hangs_on_deletes, true);
    for _ in 0..3 {
        let kid = keeper.signer().await.unwrap().key().kid().to_owned();
        keeper.revoke(&kid).await.unwrap();
        assert!(!keeper.tick().await.unwrap().is_empty());
    }
    let began = Instant::now();
    let turn = {
        let keeper = keeper.clone();
        tokio::spawn(async move { keeper.tick().await.map(|left| left.len()) })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    keeper.rotate().await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert_eq!(turn.await.unwrap().unwrap(), 3);
    assert_eq!(began.elapsed(), kms::checked::CALL_LIMIT);
    World::turn(&world.kms.hangs_on_deletes, false);
    assert!(keeper.tick().await.unwrap().is_empty());
    assert_eq!(keeper.ring().await.unwrap().keys().len(), 2);
}
