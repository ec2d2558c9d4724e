//! What is settled, and what happens when it turns out not to be.

use hmac_auth::credential::Change;
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::event_id::{event_id, shared};
use hmac_propagation::management::{Reopening, SettledQuery, SettledRow, SettledScope};
use hmac_propagation::peer_store::{CredentialKey, Stamp, Track};

use super::{
    LEASE, NOW, RESEND_AFTER, Source, content, ensure, ensure_with, hash, http, peer, revoke, sent,
};

async fn settled(source: &Source, target: &str, scope: SettledScope) -> Vec<SettledRow> {
    let query = SettledQuery {
        target: peer(target),
        scope,
    };
    source
        .management()
        .settled_rows(&query)
        .await
        .expect("the rows")
}

async fn all(source: &Source, target: &str) -> Vec<SettledRow> {
    settled(
        source,
        target,
        SettledScope::Page {
            after: None,
            limit: 1_000,
        },
    )
    .await
}

async fn one(source: &Source, key: &CredentialKey, target: &str) -> SettledRow {
    let mut rows = settled(source, target, SettledScope::Named(vec![key.clone()])).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

fn reopening(row: &SettledRow, target: &str) -> Reopening {
    Reopening {
        key: row.key.clone(),
        target: peer(target),
        generation: row.generation,
        reason: "drift: gone".to_owned(),
    }
}

async fn reopen(source: &Source, rows: &[Reopening], now_ms: i64) -> u64 {
    source
        .management()
        .reopen(rows, now_ms)
        .await
        .expect("reopened")
}

/// Claims and acknowledges everything that waits.
async fn settle_all(source: &Source, now_ms: i64) {
    let rows = source.claim(now_ms).await;
    source.settle(&rows, now_ms).await;
}

/// Not what is pending, sent or refused, and nothing of other targets.
pub async fn only_what_the_target_acknowledged_is_settled(source: Source) {
    let source = source.with_targets(&["a", "b"]).await;
    let [kept, gone, waits, sent, refused] = ["kept", "gone", "waits", "sent", "refused"].map(http);
    source
        .change(&ensure(&kept, "plain", &["a", "b"], NOW))
        .await;
    source.change(&revoke(&gone, &["a"], NOW)).await;
    settle_all(&source, NOW).await;
    for key in [&sent, &refused] {
        source.change(&ensure(key, "plain", &["a"], NOW + 1)).await;
    }
    for row in source.claim(NOW + 1).await {
        source.sent(&row, NOW + 1).await;
        if row.key == refused {
            source.refuse(&row, NOW + 2, "no").await;
        }
    }
    source
        .change(&ensure(&waits, "plain", &["a"], NOW + 2))
        .await;
    let rows = all(&source, "a").await;
    assert_eq!(
        rows.iter().map(|row| &row.key).collect::<Vec<_>>(),
        [&gone, &kept]
    );
    assert!(
        matches!(rows[0].wanted, Ok(None)),
        "a revocation is settled too"
    );
    assert!(matches!(rows[1].wanted, Ok(Some(_))));
    assert_eq!(all(&source, "b").await.len(), 1);
    assert!(all(&source, "unknown").await.is_empty());
    assert!(
        settled(
            &source,
            "a",
            SettledScope::Named(vec![waits, sent, refused])
        )
        .await
        .is_empty()
    );
    assert!(
        settled(&source, "a", SettledScope::Named(Vec::new()))
            .await
            .is_empty()
    );
}

/// In the order of (track, client id), byte by byte, each row once, whatever the size of the page.
pub async fn settled_rows_come_in_pages_and_by_name(source: Source) {
    let source = source.with_targets(&["a", "b"]).await;
    let mut keys: Vec<_> = [
        "b",
        "B",
        "a",
        "á",
        "a-b",
        "a b",
        "10",
        "9",
        "\u{1f600}",
        "zz",
    ]
    .map(http)
    .into();
    keys.push(CredentialKey {
        track: Track::Message,
        ..http("A")
    });
    for key in &keys {
        source.change(&ensure(key, "plain", &["a", "b"], NOW)).await;
    }
    settle_all(&source, NOW).await;
    keys.sort();
    for limit in [1, 3, 5, 100] {
        let mut seen: Vec<CredentialKey> = Vec::new();
        loop {
            let scope = SettledScope::Page {
                after: seen.last().cloned(),
                limit,
            };
            let rows = settled(&source, "a", scope).await;
            assert!(rows.len() <= limit);
            if rows.is_empty() {
                break;
            }
            seen.extend(rows.into_iter().map(|row| row.key));
        }
        assert_eq!(seen, keys, "pages of {limit}");
    }
    let named = vec![
        keys[7].clone(),
        keys[2].clone(),
        keys[10].clone(),
        http("nobody"),
    ];
    let rows = settled(&source, "a", SettledScope::Named(named)).await;
    let found: Vec<_> = rows.iter().map(|row| &row.key).collect();
    assert_eq!(found, [&keys[2], &keys[7], &keys[10]]);
}

/// Content, generation, and the stamp that the target's cursor should bear.
pub async fn a_settled_row_says_what_was_sent(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("told"));
    let rules = Change::Set(["10.0.0.0/8", "2001:db8::1"].as_slice());
    let request = ensure_with(
        &key,
        "plain",
        &["a"],
        NOW,
        rules,
        Change::Set(Some(NOW + 5)),
    );
    let accepted = source.change(&request).await;
    source.claim_one(NOW).await;
    source.inspect.pass(LEASE).await;
    let claimed = source.claim_one(NOW + LEASE).await;
    source.sent(&claimed, NOW + LEASE).await;
    source.acknowledge(&claimed, NOW + LEASE).await;
    let row = one(&source, &key, "a").await;
    assert_eq!(row.generation, accepted.generation);
    assert_eq!(
        (row.sent_ts, row.event_id.as_ref()),
        (claimed.ts, Some(&claimed.event_id))
    );
    assert_eq!(row.change_ts, accepted.change_ts);
    assert_eq!(row.last_ts, claimed.ts);
    let wanted = row
        .wanted
        .as_ref()
        .expect("readable")
        .as_ref()
        .expect("a record");
    assert!(wanted.secret_hash.matches(&hash("plain")));
    assert_eq!(wanted.allowed_ips.rules(), ["10.0.0.0/8", "2001:db8::1"]);
    assert_eq!(wanted.expires_at, Some(NOW + 5));
    let cursor = |ts, event_id: &str| Stamp {
        ts,
        event_id: event_id.to_owned(),
    };
    assert!(!row.is_superseded_by(&cursor(row.sent_ts, &claimed.event_id)));
    assert!(!row.is_superseded_by(&cursor(row.sent_ts - 1, "~")));
    let another_try = format!("{}~", shared(&claimed.event_id));
    assert!(!row.is_superseded_by(&cursor(row.sent_ts, &another_try)));
    assert!(row.is_superseded_by(&cursor(row.sent_ts, "~")));
    assert!(row.is_superseded_by(&cursor(row.sent_ts + 1, "")));

    // A change that is not for this target raises what was used for the credential, and nothing else of the row.
    let elsewhere = source
        .change(&ensure(&key, "next", &["b"], NOW + LEASE + 9))
        .await;
    let after = one(&source, &key, "a").await;
    assert_eq!(
        (after.generation, after.sent_ts),
        (row.generation, row.sent_ts)
    );
    assert_eq!(after.last_ts, elsewhere.change_ts);
}

/// Same generation, same content, one millisecond past what was sent: older than any later change.
pub async fn a_reopened_row_is_a_further_try(source: Source) {
    let (source, key, gone) = (
        source.with_targets(&["a", "b"]).await,
        http("reopened"),
        http("reopened-gone"),
    );
    let before = source.settled_pair(&key, &gone).await;
    let rows: Vec<_> = all(&source, "a")
        .await
        .iter()
        .map(|row| reopening(row, "a"))
        .collect();
    let late = NOW + 10 * RESEND_AFTER;
    assert_eq!(reopen(&source, &rows, late).await, 2);
    assert!(all(&source, "a").await.is_empty());
    assert_eq!(
        source.status(&key, "b").await,
        DeliveryStatus::Success,
        "not named"
    );
    let seen = source.row(&key, "a").await;
    assert_eq!(
        (seen.status, seen.reason.as_deref()),
        (DeliveryStatus::Pending, Some("drift: gone"))
    );
    let after = source.claim(late).await;
    assert_eq!(after.len(), 2, "at once, and nothing else: {after:?}");
    for row in &after {
        let old = before
            .iter()
            .find(|old| old.key == row.key && old.target == row.target)
            .expect("the row");
        assert_eq!((row.generation, row.ts), (old.generation, old.ts + 1));
        assert_eq!((row.attempt, content(row)), (old.attempt + 1, content(old)));
        assert_ne!(row.event_id, old.event_id);
        assert!(
            row.event_id
                .starts_with(shared(&event_id(&peer("source"), row.ts, [0; 16])))
        );
    }
    source.settle(&after, late).await;
    let seen = source.row(&key, "a").await;
    assert_eq!((seen.status, seen.reason), (DeliveryStatus::Success, None));
    let rotated = source.rotate(&key, "next", NOW).await;
    assert!(
        after
            .iter()
            .all(|row| row.ts < rotated.change_ts || row.key != key),
        "a later change is newer"
    );
    assert!(source.unapplied(10).await.len() >= 2, "as before");
}

/// Not one that was replaced meanwhile, that is under way, or that nobody knows.
pub async fn a_reopening_of_another_row_changes_nothing(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("moved"));
    source.change(&ensure(&key, "one", &["a"], NOW)).await;
    settle_all(&source, NOW).await;
    let old = one(&source, &key, "a").await;
    source.rotate(&key, "two", NOW + 1).await;
    assert_eq!(reopen(&source, &[reopening(&old, "a")], NOW + 2).await, 0);
    assert_eq!(source.row(&key, "a").await.reason, None);
    settle_all(&source, NOW + 2).await;
    assert_eq!(reopen(&source, &[reopening(&old, "a")], NOW + 3).await, 0);
    let new = one(&source, &key, "a").await;
    let strangers = [
        reopening(&new, "b"),
        Reopening {
            key: http("nobody"),
            ..reopening(&new, "a")
        },
    ];
    assert_eq!(reopen(&source, &strangers, NOW + 3).await, 0);
    assert_eq!(reopen(&source, &[], NOW + 3).await, 0);
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Success);
    assert!(source.claim(NOW + 10 * RESEND_AFTER).await.is_empty());
}

/// The sent mark of the try before, written late, is not about it.
pub async fn a_reopened_row_waits_for_its_own_marks(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("marked"));
    source.change(&ensure(&key, "plain", &["a"], NOW)).await;
    let before = source.claim_one(NOW).await;
    source.acknowledge(&before, NOW).await;
    let row = one(&source, &key, "a").await;
    assert_eq!(reopen(&source, &[reopening(&row, "a")], NOW + 1).await, 1);
    source
        .management()
        .mark_target_sent(&sent(&before, NOW + 2, Ok(())))
        .await
        .expect("no error");
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Pending);
    let after = source.claim_one(NOW + 3).await;
    source.sent(&after, NOW + 3).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Sent);
}

/// Two replicas that find the same at once.
pub async fn a_row_is_reopened_once(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("once"));
    source.change(&ensure(&key, "plain", &["a"], NOW)).await;
    settle_all(&source, NOW).await;
    let rows = [reopening(&one(&source, &key, "a").await, "a")];
    let [one, two] = &source.managements;
    let (one, two) = tokio::join!(one.reopen(&rows, NOW + 1), two.reopen(&rows, NOW + 1));
    assert_eq!(one.expect("reopened") + two.expect("reopened"), 1);
}

/// With what this peer should hold and the moment of the change; deletions too.
pub async fn a_settled_change_is_one_that_was_applied_here(source: Source) {
    let source = source.with_targets(&["a"]).await;
    let [gone, kept, unapplied] = ["gone", "kept", "unapplied"].map(http);
    let message = CredentialKey {
        track: Track::Message,
        ..http("alpha")
    };
    let mut applied = Vec::new();
    for key in [&kept, &gone, &message] {
        source.change(&ensure(key, "plain", &["a"], NOW)).await;
    }
    let revoked = source.change(&revoke(&gone, &["a"], NOW + 1)).await;
    for change in source.unapplied(10).await {
        applied.push((change.key, change.generation));
    }
    source.applied_locally(&applied).await;
    source
        .change(&ensure(&unapplied, "plain", &["a"], NOW + 2))
        .await;
    let changes = source.settled_changes(None, 10).await;
    assert_eq!(
        changes.iter().map(|row| &row.key).collect::<Vec<_>>(),
        [&gone, &kept, &message]
    );
    assert!(matches!(changes[0].wanted, Ok(None)));
    assert_eq!(
        (changes[0].sent_ts, changes[0].generation),
        (revoked.change_ts, revoked.generation)
    );
    assert_eq!(changes[0].change_ts, revoked.change_ts);
    assert!(changes.iter().all(|row| row.event_id.is_none()));
    let wanted = changes[1]
        .wanted
        .as_ref()
        .expect("readable")
        .as_ref()
        .expect("a record");
    assert!(wanted.secret_hash.matches(&hash("plain")));
    let next = source.settled_changes(Some(&gone), 1).await;
    assert_eq!(next.iter().map(|row| &row.key).collect::<Vec<_>>(), [&kept]);
    assert!(source.settled_changes(Some(&message), 1).await.is_empty());
    source.rotate(&kept, "next", NOW + 3).await;
    let changes = source.settled_changes(None, 10).await;
    assert_eq!(
        changes.iter().map(|row| &row.key).collect::<Vec<_>>(),
        [&gone, &message]
    );
}
