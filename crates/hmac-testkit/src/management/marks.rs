//! Booking what became of claimed rows.

use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::management::{FullyPropagated, PendingPropagation};
use hmac_propagation::peer_store::{CredentialKey, FinalStatus, Track};

use super::{NOW, RESEND_AFTER, Source, acknowledged, ensure, http, revoke, sent};

/// And is never claimed again.
pub async fn a_row_goes_from_pending_to_sent_to_success(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("straight"));
    source.change(&ensure(&key, "plain", &["a"], NOW)).await;
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
        source.change(&ensure(&key, "plain", &["a"], NOW)).await;
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
        source.change(&ensure(&key, "plain", &["a"], NOW)).await;
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
    source.change(&ensure(&key, "one", &["a"], NOW)).await;
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
    source.change(&ensure(&key, "plain", &["a"], NOW)).await;
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
    source.change(&ensure(&key, "plain", &["a"], NOW)).await;
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

    source.change(&revoke(&keys[9], &["a"], NOW + 3)).await;
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
}

/// Every delivery of clients that were ensured on `a` and `b` in one batch, claimed.
async fn ensured_at_once(source: &Source, keys: &[CredentialKey]) -> Vec<PendingPropagation> {
    let requests: Vec<_> = keys
        .iter()
        .map(|key| ensure(key, "plain", &["a", "b"], NOW))
        .collect();
    let management = source.management();
    for result in management.upsert_credentials_with_targets(&requests).await {
        result.expect("accepted");
    }
    let rows = source.claim_some(NOW, 2_000).await;
    assert_eq!(rows.len(), 2 * keys.len());
    rows
}
