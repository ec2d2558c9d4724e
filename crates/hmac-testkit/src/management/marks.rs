//! Booking what became of claimed rows.

use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::management::{FullyPropagated, PendingPropagation};
use hmac_propagation::peer_store::{CredentialKey, FinalStatus, Track};

use super::{NOW, RESEND_AFTER, Source, acknowledged, ensure, http, revoke, sent};

/// And is never claimed again.
pub async fn a_row_goes_from_pending_to_sent_to_success(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("straight"));
    source.upsert(&ensure(&key, "plain", &["a"], NOW)).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Pending);
    let row = source.claim_one(NOW).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Pending);
    source.sent(&row, NOW + 1).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Sent);
    source.acknowledge(&row, NOW + 2).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Success);
    source.sent(&row, NOW + 3).await;
    source.acknowledge(&row, NOW + 4).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Success);
    assert!(source.claim(NOW + 10 * RESEND_AFTER).await.is_empty());
}

/// The late mark, good or bad, overwrites neither success nor error of its claim.
pub async fn an_ack_may_overtake_the_sent_mark(source: Source) {
    let source = source.with_targets(&["a"]).await;
    for (name, outcome) in [
        ("overtaken", Ok(())),
        ("overtaken-and-lost", Err("no confirm".to_owned())),
    ] {
        let key = http(name);
        source.upsert(&ensure(&key, "plain", &["a"], NOW)).await;
        let row = source.claim_one(NOW).await;
        source.acknowledge(&row, NOW + 1).await;
        let late = sent(&row, NOW + 2, outcome.clone());
        source
            .management()
            .mark_target_sent(&late)
            .await
            .expect("the mark");
        assert_eq!(source.status(&key, "a").await, DeliveryStatus::Success);

        let key = http(&format!("{name}-refused"));
        source.upsert(&ensure(&key, "plain", &["a"], NOW)).await;
        let row = source.claim_one(NOW).await;
        source.refuse(&row, NOW + 1, "no such track").await;
        let late = sent(&row, NOW + 2, outcome);
        source
            .management()
            .mark_target_sent(&late)
            .await
            .expect("the mark");
        let row = source.row(&key, "a").await;
        assert_eq!(
            (row.status, row.reason.as_deref()),
            (DeliveryStatus::Error, Some("no such track"))
        );
    }
}

/// Neither success nor error.
pub async fn an_ack_of_another_generation_changes_nothing(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("replaced"));
    source.upsert(&ensure(&key, "one", &["a"], NOW)).await;
    let old = source.claim_one(NOW).await;
    source.sent(&old, NOW).await;
    source.rotate(&key, "two", NOW + 1).await;
    source.acknowledge(&old, NOW + 2).await;
    source.refuse(&old, NOW + 2, "too late").await;
    source.sent(&old, NOW + 2).await;
    let row = source.row(&key, "a").await;
    assert_eq!((row.status, row.reason), (DeliveryStatus::Pending, None));
    let new = source.claim_one(NOW + 3).await;
    source.acknowledge(&old, NOW + 4).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Pending);
    source.acknowledge(&new, NOW + 5).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Success);
    source.refuse(&old, NOW + 6, "much too late").await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Success);
}

/// After `resend_after`, and a refusal that comes after the success of its change undoes nothing.
pub async fn a_refusal_is_tried_again_and_success_stays(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("refused"));
    source.upsert(&ensure(&key, "plain", &["a"], NOW)).await;
    let first = source.claim_one(NOW).await;
    source.sent(&first, NOW).await;
    source.refuse(&first, NOW + 1, "clock too far ahead").await;
    let row = source.row(&key, "a").await;
    assert_eq!(
        (row.status, row.reason.as_deref()),
        (DeliveryStatus::Error, Some("clock too far ahead"))
    );
    assert!(source.claim(NOW + RESEND_AFTER).await.is_empty());
    let second = source.claim_one(NOW + RESEND_AFTER + 1).await;
    source.sent(&second, NOW + RESEND_AFTER + 1).await;
    source.acknowledge(&second, NOW + RESEND_AFTER + 2).await;
    source
        .refuse(&first, NOW + RESEND_AFTER + 3, "clock too far ahead")
        .await;
    let row = source.row(&key, "a").await;
    assert_eq!((row.status, row.reason), (DeliveryStatus::Success, None));
    assert!(source.claim(NOW + 10 * RESEND_AFTER).await.is_empty());
}

/// They change nothing either.
pub async fn marks_of_unknown_rows_are_no_error(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("known"));
    source.upsert(&ensure(&key, "plain", &["a"], NOW)).await;
    let row = source.claim_one(NOW).await;
    let mut strangers = vec![row.clone(), row.clone(), row.clone()];
    strangers[0].target = "b".to_owned();
    strangers[1].key = http("stranger");
    strangers[2].key.track = Track::Message;
    for stranger in &strangers {
        source.sent(stranger, NOW).await;
        source.acknowledge(stranger, NOW).await;
        source.refuse(stranger, NOW, "no").await;
    }
    source.fully(&http("stranger"), FinalStatus::Success).await;
    let applied = [(http("stranger"), 7)];
    source.applied_locally(&applied).await;
    source
        .management()
        .mark_targets_sent(&[])
        .await
        .expect("nothing");
    source
        .management()
        .mark_targets_acknowledged(&[])
        .await
        .expect("nothing");
    source
        .management()
        .mark_credentials_fully_propagated(&[])
        .await
        .expect("nothing");
    source
        .management()
        .mark_locally_applied(&[])
        .await
        .expect("nothing");
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Pending);
}

/// With success, and only then.
pub async fn the_plain_goes_only_when_every_row_is_done(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("plain"));
    source
        .upsert(&ensure(&key, "plain", &["a", "b"], NOW))
        .await;
    let rows = source.claim(NOW).await;
    source.fully(&key, FinalStatus::Success).await;
    assert!(source.inspect.holds_plain(&key).await, "nothing is done");
    source.acknowledge(&rows[0], NOW).await;
    source.fully(&key, FinalStatus::Success).await;
    assert!(
        source.inspect.holds_plain(&key).await,
        "one row is not done"
    );
    source.refuse(&rows[1], NOW, "no").await;
    source.fully(&key, FinalStatus::Partial).await;
    assert!(
        source.inspect.holds_plain(&key).await,
        "one row was refused"
    );
    source.acknowledge(&rows[1], NOW).await;
    source.fully(&key, FinalStatus::Partial).await;
    source.fully(&key, FinalStatus::Error).await;
    assert!(
        source.inspect.holds_plain(&key).await,
        "the status is not success"
    );
    source
        .fully(
            &CredentialKey {
                track: Track::Message,
                ..key.clone()
            },
            FinalStatus::Success,
        )
        .await;
    assert!(source.inspect.holds_plain(&key).await, "another track");
    source.fully(&key, FinalStatus::Success).await;
    assert!(!source.inspect.holds_plain(&key).await);
}

/// The mark after the last answer was lost: the credential is named until it is marked, and not before its last row is done.
pub async fn a_plain_that_was_left_behind_is_found(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("left-behind"));
    source
        .upsert(&ensure(&http("without-targets"), "plain", &[], NOW))
        .await;
    source
        .upsert(&ensure(&key, "plain", &["a", "b"], NOW))
        .await;
    let uncleared = async |limit| {
        source
            .management()
            .uncleared_credentials(limit)
            .await
            .expect("the list")
    };
    for row in source.claim(NOW).await {
        assert!(uncleared(10).await.is_empty(), "a row is not done");
        source.acknowledge(&row, NOW).await;
    }
    assert_eq!(uncleared(10).await, std::slice::from_ref(&key));
    assert!(uncleared(0).await.is_empty());
    source.fully(&key, FinalStatus::Success).await;
    assert!(uncleared(10).await.is_empty());
}

/// A mark that comes late says nothing of the new secret.
pub async fn a_rotation_keeps_its_plain_from_an_older_mark(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("rotated"));
    source.upsert(&ensure(&key, "one", &["a"], NOW)).await;
    let row = source.claim_one(NOW).await;
    source.acknowledge(&row, NOW).await;
    source.rotate(&key, "two", NOW + 1).await;
    source.fully(&key, FinalStatus::Success).await;
    assert!(source.inspect.holds_plain(&key).await);
    let row = source.claim_one(NOW + 2).await;
    source.acknowledge(&row, NOW + 3).await;
    source.fully(&key, FinalStatus::Success).await;
    assert!(!source.inspect.holds_plain(&key).await);
}

/// In the order of the batch, good and bad ones mixed, hundreds at a time.
pub async fn batches_are_the_same_as_single_marks(source: Source) {
    let source = source.with_targets(&["a", "b"]).await;
    let keys: Vec<_> = (0..600).map(|n| http(&format!("batch-{n:03}"))).collect();
    let rows = ensured_at_once(&source, &keys).await;
    let lost = keys[7].clone();
    let outcome = |row: &CredentialKey| {
        if *row == lost {
            Err("lost".to_owned())
        } else {
            Ok(())
        }
    };
    let mut marks: Vec<_> = rows
        .iter()
        .map(|row| sent(row, NOW + 1, outcome(&row.key)))
        .collect();
    marks.extend(marks.clone());
    source
        .management()
        .mark_targets_sent(&marks)
        .await
        .expect("the marks");
    assert_eq!(source.status(&keys[7], "a").await, DeliveryStatus::Pending);
    assert_eq!(source.status(&keys[599], "b").await, DeliveryStatus::Sent);

    let mut marks: Vec<_> = rows
        .iter()
        .map(|row| acknowledged(row, NOW + 2, Ok(())))
        .collect();
    for mark in &mut marks {
        if mark.key == keys[8] && mark.target.as_str() == "b" {
            mark.outcome = Err("no".to_owned());
        }
    }
    source
        .management()
        .mark_targets_acknowledged(&marks)
        .await
        .expect("the marks");
    assert_eq!(source.status(&keys[7], "a").await, DeliveryStatus::Success);
    assert_eq!(source.status(&keys[8], "a").await, DeliveryStatus::Success);
    assert_eq!(source.status(&keys[8], "b").await, DeliveryStatus::Error);

    source.upsert(&revoke(&keys[9], &["a"], NOW + 3)).await;
    let done = |key: &CredentialKey| FullyPropagated {
        key: key.clone(),
        status: FinalStatus::Success,
        at_ms: NOW,
    };
    let marks: Vec<_> = keys.iter().map(done).collect();
    source
        .management()
        .mark_credentials_fully_propagated(&marks)
        .await
        .expect("the marks");
    assert!(source.inspect.holds_plain(&keys[8]).await);
    for key in [&keys[0], &keys[7], &keys[9], &keys[599]] {
        assert!(!source.inspect.holds_plain(key).await, "{key:?}");
    }
}

/// Every delivery of clients that were ensured on `a` and `b` in one batch, claimed.
async fn ensured_at_once(source: &Source, keys: &[CredentialKey]) -> Vec<PendingPropagation> {
    let upserts: Vec<_> = keys
        .iter()
        .map(|key| ensure(key, "plain", &["a", "b"], NOW))
        .collect();
    let management = source.management();
    for result in management.upsert_credentials_with_targets(&upserts).await {
        result.expect("accepted");
    }
    let rows = source.claim_some(NOW, 2_000).await;
    assert_eq!(rows.len(), 2 * keys.len());
    rows
}
