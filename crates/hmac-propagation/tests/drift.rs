//! What a store lost, or had changed behind the mesh's back, is found by looking, and healed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where an expectation fails"
)]

#[path = "drift/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use auth_base::secret::Secret;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{Change, CredentialChange};
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::drift::DriftReport;
use hmac_propagation::error::PropagationError;
use hmac_propagation::options::{Ensure, Newer, Resync, Revoke};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::Track;

use world::{FIRST, INTERVAL, Mood, SECOND, World, ensure, hash, hash_of};

/// One interval, and what it takes to send.
const WITHIN: Duration = Duration::from_secs(INTERVAL.as_secs() + 2);

/// After a store was started again.
const SOON: Duration = Duration::from_secs(12);

#[tokio::test(start_paused = true)]
async fn drift_is_found_and_healed() {
    let world = World::start().await;
    for client in ["one", "two", "three"] {
        world.ensure(ensure(client, FIRST)).await;
    }
    world.revoke("gone").await;
    world.settled().await;
    world.target.flush();
    assert!(world.target.hash("one").is_none());
    tokio::time::sleep(WITHIN).await;
    for client in ["one", "two", "three"] {
        assert_eq!(
            world.target.hash(client),
            world.source.hash(client),
            "{client}"
        );
    }
    world.settled().await;
    assert_eq!(
        world.source.propagator().counters().drift_healed,
        4,
        "the revocation too: its cursor is gone"
    );
    tokio::time::sleep(WITHIN).await;
    let report = world.report("target");
    assert_eq!((report.rows, report.drifted, report.healed), (4, 0, 0));
    assert_eq!(report.wanted, report.held, "equal digests are agreement");
    assert_eq!(
        world.source.propagator().counters().drift_healed,
        4,
        "and nothing was sent again"
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_check_comes_soon_after_the_start() {
    let world = World::start().await;
    tokio::time::sleep(INTERVAL / 10 + Duration::from_millis(1)).await;
    assert_eq!(
        world.source.propagator().drift().len(),
        2,
        "the target, and the source itself"
    );
    assert!(
        world
            .source
            .propagator()
            .drift()
            .iter()
            .all(|report| report.checked_at_ms.is_some())
    );
}

/// It may have forgotten what it confirmed last.
#[tokio::test(start_paused = true)]
async fn a_store_that_was_started_again_is_looked_at_at_once() {
    let world = World::start().await;
    for client in ["one", "two"] {
        world.ensure(ensure(client, FIRST)).await;
    }
    world.settled().await;
    tokio::time::sleep(INTERVAL / 10).await;
    let before = world.report("source").checked_at_ms;
    world.target.edit_out("one");
    tokio::time::sleep(SOON).await;
    assert!(
        world.target.hash("one").is_none(),
        "nobody looks before the interval has passed"
    );
    for mood in [Mood::Away, Mood::Hangs] {
        world.target.view_is(mood);
        world.target.restart();
        tokio::time::sleep(SOON).await;
        assert!(
            world.target.hash("one").is_none(),
            "it is not there, or tells who it is and no more"
        );
    }
    world.target.view_is(Mood::Works);
    tokio::time::sleep(SOON).await;
    assert_eq!(world.target.hash("one"), world.source.hash("one"));
    assert_eq!(
        world.report("source").checked_at_ms,
        before,
        "no other store was read"
    );

    world.source.edit_out("two");
    world.source.restart();
    tokio::time::sleep(SOON).await;
    assert_eq!(
        world.source.hash("two"),
        Some(hash(FIRST)),
        "its own as well"
    );
    assert_eq!(world.source.propagator().counters().drift_healed, 2);
    let reads = world.target.reads();
    tokio::time::sleep(SOON).await;
    assert_eq!(world.target.reads(), reads, "once for each start");
}

/// Nobody knows what it was before.
#[tokio::test(start_paused = true)]
async fn a_store_that_the_first_check_has_missed_is_looked_at_when_it_is_there() {
    let world = World::start_without_view().await;
    world.ensure(ensure("one", FIRST)).await;
    world.settled().await;
    tokio::time::sleep(INTERVAL / 10).await;
    world.target.edit_out("one");
    world.target.view_is(Mood::Works);
    tokio::time::sleep(SOON).await;
    assert_eq!(world.target.hash("one"), world.source.hash("one"));
}

#[tokio::test(start_paused = true)]
async fn an_old_dump_is_overwritten_and_a_revoked_client_goes_again() {
    let world = World::start().await;
    world.ensure(ensure("rotated", FIRST)).await;
    world.ensure(ensure("revoked", FIRST)).await;
    world.settled().await;
    let dump = world.target.dump(&["rotated", "revoked"]).await;
    world.rotate("rotated", SECOND).await;
    world.revoke("revoked").await;
    world.settled().await;
    world.target.restore(dump).await;
    assert_eq!(
        world.target.hash("revoked"),
        Some(hash(FIRST)),
        "it is let in again"
    );
    tokio::time::sleep(WITHIN).await;
    assert_eq!(world.target.hash("rotated"), Some(hash(SECOND)));
    assert_eq!(world.target.hash("revoked"), None);
    world.settled().await;
}

#[tokio::test(start_paused = true)]
async fn an_edit_by_hand_is_undone_and_its_reason_is_told() {
    let world = World::start().await;
    let rules = ["10.0.0.0/8", "192.0.2.1"];
    world
        .ensure(
            ensure("edited", FIRST)
                .allowed_ips(rules)
                .expires_at(Some(4_102_444_800_000)),
        )
        .await;
    world.settled().await;
    let edits = [
        (
            CredentialChange {
                secret_hash: Some(hash_of(SECOND)),
                ..Default::default()
            },
            "another secret",
        ),
        (
            CredentialChange {
                expires_at: Change::Set(None),
                ..Default::default()
            },
            "another expiry",
        ),
        (
            CredentialChange {
                allowed_ips: Change::Set(AllowedIps::parse(["0.0.0.0/0"]).unwrap()),
                ..Default::default()
            },
            "other rules",
        ),
    ];
    for (edit, difference) in edits {
        world.target.edit("edited", edit);
        let reports = world.source.propagator().check_drift().await.unwrap();
        let target = reports
            .iter()
            .find(|report| report.peer.as_str() == "target")
            .unwrap();
        assert_eq!((target.drifted, target.healed), (1, 1), "{difference}");
        assert_ne!(target.wanted, target.held);
        let row = world.source.row("edited", "target");
        assert_eq!(row.status, DeliveryStatus::Pending);
        assert_eq!(
            row.reason.unwrap(),
            format!("drift: the target holds {difference}")
        );
        world.settled().await;
        let record = world.target.record("edited").unwrap();
        assert!(record.secret_hash.matches(&hash_of(FIRST)));
        assert_eq!(
            (record.expires_at, record.allowed_ips.rules()),
            (Some(4_102_444_800_000), &rules.map(str::to_owned)[..])
        );
    }
    // The same rules in another order are the same rules.
    let turned = AllowedIps::parse(["192.0.2.1", "10.0.0.0/8"]).unwrap();
    world.target.edit(
        "edited",
        CredentialChange {
            allowed_ips: Change::Set(turned),
            ..Default::default()
        },
    );
    world.source.propagator().check_drift().await.unwrap();
    assert_eq!(world.report("target").drifted, 0);
}

/// As a peer of the original, which applies an event and keeps an expiry that the event clears.
#[tokio::test(start_paused = true)]
async fn a_target_that_keeps_what_was_cleared_is_not_told_for_ever() {
    let world = World::start().await;
    world.ensure(ensure("kept", FIRST)).await;
    world.settled().await;
    let expiry = |expires_at| CredentialChange {
        expires_at: Change::Set(expires_at),
        ..Default::default()
    };
    let healed = async || {
        let before = world.source.propagator().counters().drift_healed;
        for _ in 0..8 {
            world.target.edit("kept", expiry(Some(4_102_444_800_000)));
            tokio::time::sleep(WITHIN).await;
            world.settled().await;
        }
        world.source.propagator().counters().drift_healed - before
    };
    assert_eq!(healed().await, 3);
    let report = world.report("target");
    assert_eq!((report.drifted, report.healed), (1, 0), "and is reported");
    assert_ne!(report.wanted, report.held);
    world.ensure(ensure("kept", SECOND)).await;
    world.settled().await;
    assert_eq!(healed().await, 3, "another change is another matter");
    // What is no such keeping is healed as ever.
    world.target.edit_out("kept");
    tokio::time::sleep(WITHIN).await;
    world.settled().await;
    assert_eq!(world.target.hash("kept"), Some(hash(SECOND)));
    assert_eq!(world.report("target").healed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_newer_change_of_another_source_is_left_alone() {
    let mut world = World::start().await;
    world.ensure(ensure("shared", FIRST)).await;
    world.settled().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let other = world.join("other").await;
    other
        .propagator()
        .ensure(ensure("shared", SECOND))
        .await
        .unwrap();
    other.settled().await;
    let published = world.source.propagator().counters().events_published;
    tokio::time::sleep(WITHIN).await;
    assert_eq!(world.target.hash("shared"), Some(hash(SECOND)));
    let report = world.report("target");
    assert_eq!((report.rows, report.superseded, report.drifted), (0, 1, 0));
    assert_eq!(
        world.source.propagator().counters().events_published,
        published
    );

    // Both find it gone, in whatever order: the newer one is what stays.
    for first in [true, false] {
        world.target.flush();
        let (one, two) = if first {
            (&world.source, &other)
        } else {
            (&other, &world.source)
        };
        for source in [one, two] {
            source.propagator().check_drift().await.unwrap();
            source.propagator().sync(&Origin::default()).await.unwrap();
            source.settled().await;
        }
        assert_eq!(world.target.hash("shared"), Some(hash(SECOND)), "{first}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_own_store_knows_to_be_changed_elsewhere_is_not_brought_back() {
    let mut world = World::start().await;
    world.ensure(ensure("shared", FIRST)).await;
    world.settled().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let other = world.join("other").await;
    let targets = vec!["source".to_owned(), "target".to_owned()];
    other
        .propagator()
        .revoke(Revoke::new("shared").targets(targets))
        .await
        .unwrap();
    other.settled().await;
    assert_eq!(
        (world.source.hash("shared"), world.target.hash("shared")),
        (None, None)
    );
    // A dump from before brings the client back with its old cursor; that it was revoked is for the other source to say.
    world.target.flush();
    world.target.edit(
        "shared",
        CredentialChange {
            secret_hash: Some(hash_of(SECOND)),
            ..Default::default()
        },
    );
    world.source.propagator().check_drift().await.unwrap();
    assert_eq!(
        world.source.row("shared", "target").status,
        DeliveryStatus::Success
    );
    assert_eq!(world.report("target").superseded, 1);
    other.propagator().check_drift().await.unwrap();
    other.propagator().sync(&Origin::default()).await.unwrap();
    other.settled().await;
    assert_eq!(world.target.hash("shared"), None);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_changes_during_the_check_is_no_drift() {
    let world = Arc::new(World::start().await);
    world.ensure(ensure("moving", FIRST)).await;
    world.ensure(ensure("lost", FIRST)).await;
    world.settled().await;
    world.target.edit(
        "moving",
        CredentialChange {
            secret_hash: Some(hash_of("an edit by somebody")),
            ..Default::default()
        },
    );
    world.target.edit_out("lost");
    let inside = Arc::clone(&world);
    world.target.during_the_next_read(Box::pin(async move {
        inside.rotate("moving", SECOND).await;
        inside.settled().await;
    }));
    world.source.propagator().check_drift().await.unwrap();
    let report = world.report("target");
    assert_eq!(
        (report.rows, report.drifted),
        (1, 1),
        "the one that was lost: {report:?}"
    );
    world.settled().await;
    assert_eq!(world.target.hash("moving"), Some(hash(SECOND)));
    assert_eq!(world.target.hash("lost"), Some(hash(FIRST)));
    assert_eq!(
        world.source.row("moving", "target").attempts,
        1,
        "sent once by the rotation, and not again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_is_named_and_does_not_spin() {
    for mood in [Mood::Away, Mood::Hangs] {
        let world = World::start().await;
        world.ensure(ensure("client", FIRST)).await;
        world.settled().await;
        world.source.propagator().check_drift().await.unwrap();
        let before = world.report("target");
        assert_eq!(before.not_checked, None);
        world.target.view_is(mood);
        let reads = world.target.reads();
        tokio::time::sleep(INTERVAL * 10).await;
        let reads = world.target.reads() - reads;
        assert!((9..=11).contains(&reads), "{reads} reads in ten intervals");
        let report = world.report("target");
        assert!(
            report.not_checked.as_ref().unwrap().contains("unavailable"),
            "{report:?}"
        );
        assert_eq!(
            DriftReport {
                not_checked: None,
                ..report
            },
            before,
            "the figures are of the last whole check"
        );
        assert_eq!(
            world.report("source").not_checked,
            None,
            "the others are looked at all the same"
        );
        world.target.view_is(Mood::Works);
        world.target.flush();
        tokio::time::sleep(WITHIN).await;
        assert_eq!(world.target.hash("client"), Some(hash(FIRST)));
        assert_eq!(world.report("target").not_checked, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_ends_with_its_propagator() {
    let world = World::start().await;
    world.ensure(ensure("client", FIRST)).await;
    world.settled().await;
    world.target.view_is(Mood::Hangs);
    tokio::time::sleep(INTERVAL + Duration::from_secs(1)).await;
    let before = tokio::time::Instant::now();
    world.source.propagator().close().await;
    assert!(
        before.elapsed() < Duration::from_secs(1),
        "{:?}",
        before.elapsed()
    );
    assert!(matches!(
        world.source.propagator().check_drift().await,
        Err(PropagationError::Closed)
    ));
    let receives = world.target.propagator().check_drift().await.unwrap_err();
    assert_eq!(receives.code(), "MANAGEMENT_NOT_CONFIGURED");
}

#[tokio::test(start_paused = true)]
async fn a_source_fills_its_own_store_again() {
    let world = World::start().await;
    world.ensure(ensure("flushed", FIRST)).await;
    world
        .ensure(Ensure::new("edited", Secret::new(FIRST)))
        .await;
    world.settled().await;
    world.revoke("revoked").await;
    // What this peer holds is booked with the next sync.
    tokio::time::sleep(Duration::from_secs(6)).await;
    for round in 0..3 {
        world.source.flush();
        tokio::time::sleep(WITHIN).await;
        assert_eq!(world.source.hash("flushed"), Some(hash(FIRST)), "{round}");
        assert_eq!(world.source.hash("edited"), Some(hash(FIRST)));
        // The cursor stands: only the record was changed.
        world.source.edit(
            "edited",
            CredentialChange {
                secret_hash: Some(hash_of(SECOND)),
                ..Default::default()
            },
        );
        world.source.edit(
            "revoked",
            CredentialChange {
                secret_hash: Some(hash_of(SECOND)),
                ..Default::default()
            },
        );
        tokio::time::sleep(WITHIN).await;
        assert_eq!(world.source.hash("edited"), Some(hash(FIRST)), "{round}");
        assert_eq!(world.source.hash("revoked"), None);
    }
    // It does not look like another source's change, and what comes later is newer.
    let summary = world
        .source
        .propagator()
        .resync(Resync::target("target"))
        .await
        .unwrap();
    assert_eq!(summary.targets_published, 2, "{summary:?}");
    world.settled().await;
    world.rotate("edited", SECOND).await;
    assert_eq!(world.source.hash("edited"), Some(hash(SECOND)));
}

/// The other source's revocation goes to the target alone: this source's own store does not know of it.
#[tokio::test(start_paused = true)]
async fn a_resync_brings_nothing_back_that_another_source_has_revoked() {
    let mut world = World::start().await;
    world.ensure(ensure("shared", FIRST)).await;
    world.settled().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let other = world.join("other").await;
    let revoke = Revoke::new("shared").targets(["target"]);
    other.propagator().revoke(revoke).await.unwrap();
    other.settled().await;
    assert_eq!(world.target.hash("shared"), None);

    let again = [
        Resync::target("target"),
        Resync::client("shared", Track::Http),
    ];
    for resync in again.clone() {
        let summary = world.source.propagator().resync(resync).await.unwrap();
        assert_eq!(summary.targets_published, 0);
    }
    // A store that lost everything is filled again, in whatever order the sources do it.
    world.target.flush();
    for propagator in [world.source.propagator(), other.propagator()] {
        propagator.resync(Resync::target("target")).await.unwrap();
    }
    world.settled().await;
    other.settled().await;
    assert_eq!(world.target.hash("shared"), None);
    // Where that cannot be told, nothing is done unless it is asked for in words.
    world.target.view_is(Mood::Away);
    for resync in again {
        let refused = world.source.propagator().resync(resync).await.unwrap_err();
        assert_eq!(refused.field(), Some("newer"), "{refused}");
    }
    world.settled().await;
    assert_eq!(world.target.hash("shared"), None);
    let overwrite = Resync::target("target").newer(Newer::Overwrite);
    world.source.propagator().resync(overwrite).await.unwrap();
    world.settled().await;
    assert_eq!(world.target.hash("shared"), Some(hash(FIRST)));
}

#[tokio::test(start_paused = true)]
async fn healing_loses_against_a_change_that_comes_meanwhile() {
    let world = World::start().await;
    world.ensure(ensure("raced", FIRST)).await;
    world.settled().await;
    world.hold_deliveries(true);
    world.target.flush();
    world.source.propagator().check_drift().await.unwrap();
    world
        .source
        .propagator()
        .sync(&Origin::default())
        .await
        .unwrap();
    world.rotate("raced", SECOND).await;
    world
        .source
        .propagator()
        .sync(&Origin::default())
        .await
        .unwrap();
    world.hold_deliveries(false);
    world.settled().await;
    assert_eq!(world.target.hash("raced"), Some(hash(SECOND)));
}

#[tokio::test(start_paused = true)]
async fn many_pages_are_compared_on_both_tracks() {
    let world = World::start().await;
    for number in 0..(world::PAGE * 3 + 1) {
        world
            .ensure(ensure(&format!("client-{number}"), FIRST))
            .await;
    }
    let message = ensure("client-0", SECOND).track(Track::Message);
    world.ensure(message).await;
    world.settled().await;
    world.source.propagator().check_drift().await.unwrap();
    let report = world.report("target");
    assert_eq!(
        (report.rows, report.drifted),
        (world::PAGE as u64 * 3 + 2, 0)
    );
    assert_eq!(report.wanted, report.held);
    world.target.flush();
    world.source.propagator().check_drift().await.unwrap();
    assert_eq!(world.report("target").healed, world::PAGE as u64 * 3 + 2);
    world.settled().await;
    assert_eq!(world.target.hash("client-3"), Some(hash(FIRST)));
}
