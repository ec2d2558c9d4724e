//! Claiming rows, and giving them back.

use std::collections::BTreeSet;

use auth_base::secret::Secret;
use futures_util::future::join_all;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::Change;
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::event_id::shared;
use hmac_propagation::management::{ChangeOperation, ChangeRequest, PendingQuery};

use super::{LEASE, NOW, RESEND_AFTER, Source, content, ensure, http, peer, query, revoke, sent};

/// Also between pending and overdue rows, and a row that failed goes to the back.
pub async fn the_longest_waiting_comes_first(source: Source) {
    let source = source.with_targets(&["a"]).await;
    for (n, name) in ["zeta", "mid", "alpha"].into_iter().enumerate() {
        source
            .change(&ensure(&http(name), "plain", &["a"], NOW + n as i64))
            .await;
    }
    let order = |rows: &[hmac_propagation::management::PendingPropagation]| {
        rows.iter()
            .map(|row| row.key.client_id.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    let first = source.claim_some(NOW + 10, 2).await;
    assert_eq!(order(&first), ["zeta", "mid"]);
    source.sent(&first[0], NOW + 10).await;
    let failed = sent(&first[1], NOW + 20, Err("nobody there".to_owned()));
    source
        .management()
        .mark_target_sent(&failed)
        .await
        .expect("the mark");
    let second = source.claim_some(NOW + 30, 1).await;
    assert_eq!(order(&second), ["alpha"], "before the row that just failed");
    source.sent(&second[0], NOW + 30).await;
    let late = NOW + RESEND_AFTER + 40;
    assert_eq!(order(&source.claim(late).await), ["zeta", "mid", "alpha"]);
}

/// Nobody else gets it until the lease is over; then it is claimed again, as the same change with the same `ts`: a retry that
/// were newer would overtake what another source says meanwhile.
pub async fn a_claimed_row_is_leased(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("leased"));
    source.change(&ensure(&key, "plain", &["a"], NOW)).await;
    let first = source.claim_one(NOW).await;
    source.inspect.pass(LEASE / 2).await;
    assert!(source.claim(NOW).await.is_empty());
    source.inspect.pass(LEASE / 2).await;
    let second = source.claim_one(NOW).await;
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_eq!((first.generation, first.ts), (second.generation, second.ts));
    assert_ne!(first.event_id, second.event_id);
    assert_eq!(shared(&first.event_id), shared(&second.event_id));
    assert_eq!(content(&first), content(&second));
    source.sent(&first, NOW + LEASE + 1).await;
    assert_eq!(
        source.status(&key, "a").await,
        DeliveryStatus::Pending,
        "the first claim is over"
    );
    source.sent(&second, NOW + LEASE + 2).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Sent);
}

/// However far ahead or behind the other is.
pub async fn replicas_whose_clocks_differ_share_the_leases(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("shared"));
    source.change(&ensure(&key, "plain", &["a"], NOW)).await;
    let first = source.claim_one(NOW).await;
    let other = async |now_ms| {
        let (other, query) = (&source.managements[1], query(now_ms, 1));
        let claimed = other.fetch_pending_propagations(&query).await;
        claimed.expect("the claim")
    };
    for apart in [LEASE + 1_000, 10 * LEASE, -10 * LEASE] {
        let claimed = other(NOW + apart).await;
        assert!(claimed.is_empty(), "claimed twice, {apart} ms apart");
    }
    source.inspect.pass(LEASE).await;
    let again = other(NOW - 10 * LEASE).await;
    assert_eq!((again.len(), again[0].ts), (1, first.ts));
}

/// Then it is sent again with the same meaning.
pub async fn a_sent_row_is_left_until_it_is_overdue(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("overdue"));
    source.change(&ensure(&key, "plain", &["a"], NOW)).await;
    let first = source.claim_one(NOW).await;
    source.sent(&first, NOW).await;
    assert!(source.claim(NOW + RESEND_AFTER - 1).await.is_empty());
    let unasked = PendingQuery {
        overdue: false,
        ..query(NOW + RESEND_AFTER, 1)
    };
    let passed_over = source
        .management()
        .fetch_pending_propagations(&unasked)
        .await
        .expect("a claim");
    assert!(passed_over.is_empty(), "overdue rows were not asked for");
    let again = source.claim_one(NOW + RESEND_AFTER).await;
    assert_eq!((again.ts, again.attempt), (first.ts, 2));
    assert_eq!(content(&again), content(&first));
    assert_eq!(source.row(&key, "a").await.attempts, 2);
}

/// With the reason for the operator.
pub async fn a_failed_row_is_free_at_once(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("failed"));
    source.change(&ensure(&key, "plain", &["a"], NOW)).await;
    let first = source.claim_one(NOW).await;
    let mark = sent(&first, NOW + 1, Err("refused by the broker".to_owned()));
    source
        .management()
        .mark_target_sent(&mark)
        .await
        .expect("the mark");
    let row = source.row(&key, "a").await;
    assert_eq!(
        (row.status, row.reason.as_deref()),
        (DeliveryStatus::Pending, Some("refused by the broker"))
    );
    let second = source.claim_one(NOW + 2).await;
    assert_eq!((second.attempt, second.ts), (2, first.ts));
    source.sent(&second, NOW + 3).await;
    assert_eq!(source.row(&key, "a").await.reason, None);
}

/// Many claimers on two replicas share the rows out without a gap or a double.
pub async fn two_claimers_never_get_the_same_row(source: Source) {
    let source = source.with_targets(&["a", "b"]).await;
    let requests: Vec<_> = (0..100)
        .map(|n| ensure(&http(&format!("client-{n}")), "plain", &["a", "b"], NOW))
        .collect();
    for result in source
        .management()
        .upsert_credentials_with_targets(&requests)
        .await
    {
        result.expect("accepted");
    }
    let mut seen = BTreeSet::new();
    let mut events = BTreeSet::new();
    // A claimer may come away empty-handed while others hold their rows; asking again finds the rest.
    for _ in 0..50 {
        let queries: Vec<_> = (0..8).map(|_| query(NOW, 10)).collect();
        let claims = queries.iter().enumerate().map(|(n, query)| {
            let management = &source.managements[n % 2];
            async move {
                management
                    .fetch_pending_propagations(query)
                    .await
                    .expect("the claim")
            }
        });
        for row in join_all(claims).await.into_iter().flatten() {
            assert!(
                events.insert(row.event_id.clone()),
                "an event id is used twice"
            );
            assert!(
                seen.insert((row.key.clone(), row.target.clone())),
                "claimed twice: {row:?}"
            );
        }
        if seen.len() == 200 {
            break;
        }
    }
    assert_eq!(seen.len(), 200);
    assert!(source.claim(NOW).await.is_empty());
}

/// It is reported in words with its place in the page, then waits for `resend_after`, whatever is marked.
pub async fn a_bad_row_blocks_nobody_and_does_not_spin(source: Source) {
    let source = source.with_targets(&["bad", "good"]).await;
    let key = http("blocked");
    source.change(&ensure(&key, "plain", &["bad"], NOW)).await;
    source.change(&revoke(&http("other"), &["bad"], NOW)).await;
    source
        .change(&ensure(&key, "plain", &["good"], NOW + 1))
        .await;
    source.inspect.break_target(&peer("bad")).await;
    let claimed = source.claim(NOW + 1).await;
    assert_eq!(claimed.len(), 3, "{claimed:?}");
    for row in &claimed {
        match row.target.as_str() {
            "good" => source.sent(row, NOW + 1).await,
            _ => {
                let reason = row.message.as_ref().expect_err("a reason").clone();
                assert!(!reason.is_empty());
                let mark = sent(row, NOW + 1, Err(reason));
                source
                    .management()
                    .mark_target_sent(&mark)
                    .await
                    .expect("the mark");
            }
        }
    }
    assert_eq!(source.status(&key, "good").await, DeliveryStatus::Sent);
    let row = source.row(&key, "bad").await;
    assert!(row.reason.is_some() && row.status != DeliveryStatus::Success);
    for later in [2, LEASE + 2, RESEND_AFTER - 1] {
        assert!(
            source.claim(NOW + later).await.is_empty(),
            "a hot loop after {later} ms"
        );
    }
    source
        .inspect
        .put_target(&peer("bad"), &Secret::new("mended"))
        .await;
    let mended = source.claim(NOW + RESEND_AFTER + 1).await;
    let bad: Vec<_> = mended.iter().filter(|row| row.target == "bad").collect();
    assert_eq!(bad.len(), 2);
    for row in bad {
        assert_eq!(
            row.message
                .as_ref()
                .expect("sendable")
                .propagation_secret
                .expose(),
            "mended"
        );
    }
}

/// A change during a sync is not lost: it does not wait for the lease of what it replaces.
pub async fn a_change_frees_a_claimed_row(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("changed"));
    source.change(&ensure(&key, "one", &["a"], NOW)).await;
    let stale = source.claim_one(NOW).await;
    source.rotate(&key, "two", NOW + 1).await;
    source.sent(&stale, NOW + 2).await;
    assert_eq!(
        source.status(&key, "a").await,
        DeliveryStatus::Pending,
        "the mark is of the replaced change"
    );
    let fresh = source.claim_one(NOW + 3).await;
    assert!(fresh.generation > stale.generation && fresh.ts > stale.ts);
    assert_eq!(fresh.attempt, 1);
    source.change(&revoke(&key, &["a"], NOW + 4)).await;
    source.acknowledge(&fresh, NOW + 5).await;
    assert_eq!(
        source.status(&key, "a").await,
        DeliveryStatus::Pending,
        "the answer is to the replaced change"
    );
    assert_eq!(
        content(&source.claim_one(NOW + 6).await),
        ("credential.delete", None)
    );
}

/// By the limit, and by nothing at all when there is nothing.
pub async fn a_claim_is_bounded(source: Source) {
    let source = source.with_targets(&["a"]).await;
    assert!(source.claim(NOW).await.is_empty());
    for n in 0..5 {
        source
            .change(&ensure(
                &http(&format!("bounded-{n}")),
                "plain",
                &["a"],
                NOW,
            ))
            .await;
    }
    assert!(source.claim_some(NOW, 0).await.is_empty());
    assert_eq!(source.claim_some(NOW, 3).await.len(), 3);
    assert_eq!(source.claim_some(NOW, 3).await.len(), 2);
}

/// A change is claimed by a clock that was set back after it was accepted, and the next one as well.
pub async fn a_clock_that_steps_back_stops_nothing(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("stepped"));
    source.change(&ensure(&key, "one", &["a"], NOW)).await;
    let back = NOW - 3_600_000;
    let row = source.claim_one(back).await;
    assert_eq!(row.ts, NOW);
    source.sent(&row, back).await;
    let accepted = source.change(&ensure(&key, "two", &["a"], back + 1)).await;
    let newer = source.claim_one(back + 1).await;
    assert_eq!((newer.generation, newer.ts), (accepted.generation, NOW + 1));
    source.acknowledge(&newer, back + 2).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Success);
}

/// Neither a lease nor a moment of sending from before the clock was set back keeps a row waiting until the clock is there again.
pub async fn a_row_from_before_the_clock_was_set_back_is_claimed(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("set-back"));
    source.change(&ensure(&key, "one", &["a"], NOW)).await;
    source.claim_one(NOW).await;
    source.inspect.pass(-3_600_000).await;
    let row = source.claim_one(NOW - 3_600_000).await;
    source.sent(&row, NOW - 3_600_000).await;
    let again = source.claim_one(NOW - 7_200_000).await;
    assert_eq!((again.generation, again.ts), (row.generation, row.ts));
}

/// An operator reads it at once, whatever mark follows or is lost; and no event was made, so the next try is the first.
pub async fn a_row_that_cannot_be_sent_is_an_error_and_uses_no_ts(source: Source) {
    let (source, key) = (source.with_targets(&["bad"]).await, http("unsendable"));
    let accepted = source.change(&ensure(&key, "plain", &["bad"], NOW)).await;
    source.inspect.break_target(&peer("bad")).await;
    let claimed = source.claim_one(NOW).await;
    let why = claimed.message.expect_err("a reason");
    let row = source.row(&key, "bad").await;
    assert_eq!(
        (row.status, row.reason, row.attempts),
        (DeliveryStatus::Error, Some(why), 1)
    );
    assert!(source.claim(NOW + RESEND_AFTER - 1).await.is_empty());
    source
        .inspect
        .put_target(&peer("bad"), &Secret::new("mended"))
        .await;
    let mended = source.claim_one(NOW + RESEND_AFTER).await;
    assert!(mended.message.is_ok());
    assert_eq!((mended.ts, mended.attempt), (accepted.change_ts, 2));
}

/// It has no event that a mark could be about: neither its reason nor its wait is another afterwards.
pub async fn a_mark_of_a_row_that_cannot_be_sent_changes_nothing(source: Source) {
    let (source, key) = (source.with_targets(&["bad"]).await, http("unmarked"));
    source.change(&ensure(&key, "plain", &["bad"], NOW)).await;
    source.inspect.break_target(&peer("bad")).await;
    let claimed = source.claim_one(NOW).await;
    let before = source.row(&key, "bad").await;
    for outcome in [Err("something else".to_owned()), Ok(())] {
        let mark = sent(&claimed, NOW + LEASE, outcome);
        source
            .management()
            .mark_target_sent(&mark)
            .await
            .expect("no error");
        assert_eq!(source.row(&key, "bad").await, before);
    }
    assert!(source.claim(NOW + RESEND_AFTER - 1).await.is_empty());
    assert_eq!(source.claim(NOW + RESEND_AFTER).await.len(), 1);
}

/// And not since its own moment, which lies ahead of the clock when it has to be past another source's change.
pub async fn a_change_waits_since_the_clock_said_so(source: Source) {
    let source = source.with_targets(&["a"]).await;
    let ahead = ChangeRequest {
        floor_ts: Some(NOW + 3_600_000),
        ..ensure(&http("ahead"), "plain", &["a"], NOW)
    };
    let accepted = source.change(&ahead).await;
    assert_eq!(accepted.change_ts, NOW + 3_600_001);
    source
        .change(&ensure(&http("later"), "plain", &["a"], NOW + 1))
        .await;
    let first = source.claim_some(NOW + 2, 1).await;
    assert_eq!(first[0].key, http("ahead"));
}

/// A row whose claimer never comes back, each time, does not keep those behind it from their turn.
pub async fn a_claimed_row_goes_to_the_back_of_the_line(source: Source) {
    let source = source.with_targets(&["a"]).await;
    source
        .change(&ensure(&http("fatal"), "plain", &["a"], NOW))
        .await;
    source.claim_one(NOW + 2).await;
    source
        .change(&ensure(&http("other"), "plain", &["a"], NOW + 1))
        .await;
    source.inspect.pass(LEASE).await;
    let next = source.claim_some(NOW + 2 + LEASE, 1).await;
    assert_eq!(next[0].key, http("other"));
}

/// A list whose entries are no rules (a row edited by hand, or rules of a later version) lets in nobody. On the wire it would
/// be no list, which lets in everybody; and a check for drift that compared with it would never end.
pub async fn a_list_that_cannot_be_read_is_not_sent(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("unreadable"));
    let good = source.change(&ensure(&key, "plain", &["a"], NOW)).await;
    let claimed = source.claim_one(NOW).await;
    source.sent(&claimed, NOW).await;
    source.acknowledge(&claimed, NOW).await;
    let mut damaged = ensure(&key, "plain", &["a"], NOW);
    if let ChangeOperation::Ensure { allowed_ips, .. } = &mut damaged.operation {
        *allowed_ips = Change::Set(AllowedIps::parse_lenient(["everybody"]));
    }
    source.change(&damaged).await;
    let claimed = source.claim_one(NOW + 1).await;
    assert!(claimed.generation > good.generation);
    let why = claimed.message.expect_err("a reason");
    assert!(why.contains("allow-list"), "{why}");
    let row = source.row(&key, "a").await;
    assert_eq!((row.status, row.reason), (DeliveryStatus::Error, Some(why)));
}
