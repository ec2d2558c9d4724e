//! What is sent, or applied here, once more.

use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::management::{PendingPropagation, ResyncQuery, ResyncRow, ResyncScope};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, FinalStatus, Track};

use super::{LEASE, NOW, RESEND_AFTER, Source, content, ensure, hash, http, peer, revoke};

async fn page(
    source: &Source,
    scope: &ResyncScope,
    after: Option<&ResyncRow>,
    limit: usize,
) -> Vec<ResyncRow> {
    let query = ResyncQuery {
        scope: scope.clone(),
        now_ms: NOW,
        limit,
        after: after.map(|row| (row.key.clone(), row.target.clone())),
    };
    source
        .management()
        .resync_rows(&query)
        .await
        .expect("the page")
}

async fn rows(source: &Source, scope: &ResyncScope) -> Vec<ResyncRow> {
    page(source, scope, None, 1_000).await
}

/// In the order of (track, client id, target), byte by byte, each row once, whatever the size of the page.
pub async fn a_resync_pages_through_everything(source: Source) {
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
    source.change(&revoke(&keys[0], &["a"], NOW + 1)).await;
    keys.sort();
    let scope = ResyncScope::Target(peer("a"));
    for limit in [1, 3, 5, 100] {
        let mut seen: Vec<ResyncRow> = Vec::new();
        loop {
            let rows = page(&source, &scope, seen.last(), limit).await;
            assert!(rows.len() <= limit);
            let done = rows.len() < limit;
            seen.extend(rows);
            if done {
                break;
            }
        }
        assert!(seen.iter().all(|row| row.target == "a"));
        assert_eq!(
            seen.iter().map(|row| row.key.clone()).collect::<Vec<_>>(),
            keys,
            "pages of {limit}"
        );
    }
}

/// All of them, deletions included, with the largest `ts` used for the credential.
pub async fn a_resync_of_a_credential_names_its_targets(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b", "c"]).await, http("scoped"));
    source
        .change(&ensure(&key, "plain", &["b", "a"], NOW))
        .await;
    source
        .change(&ensure(&http("scoped-not"), "plain", &["c"], NOW))
        .await;
    let revoked = source.change(&revoke(&key, &["b"], NOW + 1)).await;
    let scope = ResyncScope::Credential(key.clone());
    let found = rows(&source, &scope).await;
    assert_eq!(
        found
            .iter()
            .map(|row| row.target.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert!(
        found
            .iter()
            .all(|row| row.key == key && row.last_ts == revoked.change_ts)
    );
    assert_eq!(found[1].generation, revoked.generation);
    assert!(found[0].generation < revoked.generation);
    let claimed = source.claim(NOW + 2).await;
    source.inspect.pass(LEASE).await;
    let again = source.claim(NOW + 2).await;
    assert_eq!((claimed.len(), again.len()), (3, 3));
    let largest = again
        .iter()
        .filter(|row| row.key == key)
        .map(|row| row.ts)
        .max()
        .expect("rows");
    assert_eq!(
        rows(&source, &scope).await[0].last_ts,
        largest.max(revoked.change_ts)
    );
    assert_eq!(page(&source, &scope, Some(&found[0]), 10).await.len(), 1);
    assert!(page(&source, &scope, Some(&found[1]), 10).await.is_empty());
    assert!(
        rows(&source, &ResyncScope::Target(peer("unknown")))
            .await
            .is_empty()
    );
}

/// Pending again, in a new generation, with a `ts` past everything; revocations too.
pub async fn a_rebooked_row_is_newer_and_means_the_same(source: Source) {
    let (source, key, gone) = (
        source.with_targets(&["a", "b"]).await,
        http("rebooked"),
        http("rebooked-gone"),
    );
    let before = source.settled_pair(&key, &gone).await;
    source.fully(&key, FinalStatus::Success).await;
    assert!(source.claim(NOW + 10 * RESEND_AFTER).await.is_empty());
    let scope = ResyncScope::Target(peer("a"));
    let booked = rows(&source, &scope).await;
    assert_eq!(booked.len(), 2);
    source.rebook(&booked, NOW - 5_000).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Pending);
    assert_eq!(
        source.status(&key, "b").await,
        DeliveryStatus::Success,
        "not named"
    );
    let after = source.claim(NOW + 1).await;
    assert_eq!(after.len(), 2, "{after:?}");
    for row in &after {
        let old = before
            .iter()
            .find(|old| old.key == row.key && old.target == row.target)
            .expect("the row");
        assert!(
            row.generation > old.generation && row.ts > old.ts,
            "{row:?}"
        );
        assert_eq!(row.attempt, 1);
        assert_eq!(content(row), content(old));
        source.acknowledge(old, NOW + 1).await;
        assert_eq!(
            source.status(&row.key, "a").await,
            DeliveryStatus::Pending,
            "the answer to the row before"
        );
        source.acknowledge(row, NOW + 2).await;
        assert_eq!(source.status(&row.key, "a").await, DeliveryStatus::Success);
    }
    source
        .rebook(&rows(&source, &scope).await, NOW + 9_000)
        .await;
    assert!(
        source
            .claim(NOW + 9_000)
            .await
            .iter()
            .all(|row| row.ts >= NOW + 9_000)
    );
}

/// A change between listing and rebooking wins.
pub async fn a_rebooking_of_a_replaced_row_changes_nothing(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("moved"));
    source.change(&ensure(&key, "one", &["a"], NOW)).await;
    let listed = rows(&source, &ResyncScope::Credential(key.clone())).await;
    let accepted = source.rotate(&key, "two", NOW + 1).await;
    let claimed = source.claim_one(NOW + 1).await;
    source.acknowledge(&claimed, NOW + 2).await;
    source.rebook(&listed, NOW + 3).await;
    assert_eq!(source.status(&key, "a").await, DeliveryStatus::Success);
    let now = rows(&source, &ResyncScope::Credential(key.clone())).await;
    assert_eq!(now[0].generation, accepted.generation);
    source
        .management()
        .rebook(&[], NOW, None, &Origin::default())
        .await
        .expect("nothing");
}

/// With the record this peer must hold; a crash between accepting and applying is repaired from here.
pub async fn unapplied_changes_are_told_until_they_are_marked(source: Source) {
    let source = source.with_targets(&["a"]).await;
    let (kept, gone) = (http("kept"), http("gone"));
    let kept_change = source.change(&ensure(&kept, "plain", &["a"], NOW)).await;
    let gone_change = source.change(&revoke(&gone, &[], NOW + 1)).await;
    let changes = source.unapplied(10).await;
    assert_eq!(changes.len(), 2);
    for change in &changes {
        let accepted = if change.key == kept {
            &kept_change
        } else {
            &gone_change
        };
        assert_eq!(
            (change.generation, change.change_ts),
            (accepted.generation, accepted.change_ts)
        );
        assert_eq!(change.record.is_some(), change.key == kept);
        if let Some(record) = &change.record {
            assert!(record.secret_hash.matches(&hash("plain")));
        }
    }
    assert_eq!(source.unapplied(1).await.len(), 1);
    let applied = [(kept.clone(), kept_change.generation)];
    source.applied_locally(&applied).await;
    let changes = source.unapplied(10).await;
    assert_eq!(
        changes.iter().map(|change| &change.key).collect::<Vec<_>>(),
        [&gone]
    );
    let rotated = source.rotate(&kept, "next", NOW + 2).await;
    let both = [(kept, rotated.generation), (gone, gone_change.generation)];
    assert_eq!(source.unapplied(10).await.len(), 2);
    source.applied_locally(&both).await;
    assert!(source.unapplied(10).await.is_empty());
}

/// In whatever order the marks come.
pub async fn an_older_local_mark_covers_nothing_newer(source: Source) {
    let key = http("older");
    let first = source.change(&ensure(&key, "one", &[], NOW)).await;
    let second = source.change(&ensure(&key, "two", &[], NOW)).await;
    source
        .applied_locally(&[(key.clone(), first.generation)])
        .await;
    let changes = source.unapplied(10).await;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].generation, second.generation);
    let marks = [
        (key.clone(), second.generation),
        (key.clone(), first.generation),
    ];
    source.applied_locally(&marks).await;
    source.applied_locally(&[(key, first.generation)]).await;
    assert!(source.unapplied(10).await.is_empty());
}

/// What was applied stays applied, and what was not stays told.
pub async fn a_rebooking_is_no_local_change(source: Source) {
    let source = source.with_targets(&["a"]).await;
    let (applied, unapplied) = (http("applied"), http("unapplied"));
    let accepted = source.change(&ensure(&applied, "one", &["a"], NOW)).await;
    source.change(&ensure(&unapplied, "two", &["a"], NOW)).await;
    source
        .applied_locally(&[(applied, accepted.generation)])
        .await;
    let listed = rows(&source, &ResyncScope::Target(peer("a"))).await;
    source.rebook(&listed, NOW + 1).await;
    let changes = source.unapplied(10).await;
    assert_eq!(
        changes.iter().map(|change| &change.key).collect::<Vec<_>>(),
        [&unapplied]
    );
    source
        .applied_locally(&[(unapplied, changes[0].generation)])
        .await;
    assert!(source.unapplied(10).await.is_empty());
}

/// With one number and one moment, as the change that they repeat: between two moments another source's change could win at
/// one target and lose at the other.
pub async fn rows_of_one_credential_are_rebooked_as_one_change(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("as-one"));
    let before = source
        .change(&ensure(&key, "plain", &["a", "b"], NOW))
        .await;
    let claimed = source.claim(NOW).await;
    source.settle(&claimed, NOW).await;
    let listed = rows(&source, &ResyncScope::Credential(key)).await;
    source.rebook(&listed, NOW).await;
    let again = source.claim(NOW).await;
    assert_eq!(again.len(), 2, "{again:?}");
    let change = |row: &PendingPropagation| (row.generation, row.ts);
    assert_eq!(change(&again[0]), change(&again[1]));
    assert!(change(&again[0]) > (before.generation, before.change_ts));
}

/// Its own store holds the change under its first moment, and nothing of it is sent there again: under a later one a check for
/// drift would find that store behind. What is accepted next is newer than all that was sent.
pub async fn a_rebooked_credential_keeps_its_own_moment(source: Source) {
    let source = source.with_targets(&["a"]).await;
    let (applied, unapplied) = (http("own-moment"), http("own-moment-later"));
    let accepted = source.change(&revoke(&applied, &["a"], NOW)).await;
    source.change(&revoke(&unapplied, &["a"], NOW)).await;
    source
        .applied_locally(&[(applied.clone(), accepted.generation)])
        .await;
    let scope = ResyncScope::Target(peer("a"));
    let listed = rows(&source, &scope).await;
    source.rebook(&listed, NOW + 50).await;
    let changes = source.unapplied(10).await;
    let told: Vec<_> = changes
        .iter()
        .map(|change| (&change.key, change.change_ts))
        .collect();
    assert_eq!(told, [(&unapplied, NOW)]);
    let settled = source.settled_changes(None, 10).await;
    let settled: Vec<_> = settled
        .into_iter()
        .map(|row| (row.key, row.change_ts))
        .collect();
    assert_eq!(settled, [(applied.clone(), NOW)]);
    let again = rows(&source, &scope).await;
    assert!(again.iter().all(|row| row.last_ts == NOW + 50), "{again:?}");
    let next = source.change(&revoke(&applied, &["a"], NOW)).await;
    assert!(next.change_ts > NOW + 50, "{next:?}");
}

/// So that none is passed over for ever where there are more than a page holds.
pub async fn the_longest_unapplied_change_comes_first(source: Source) {
    for (n, name) in ["zeta", "mid", "alpha"].into_iter().enumerate() {
        source
            .change(&ensure(&http(name), "plain", &[], NOW + n as i64))
            .await;
    }
    source
        .change(&ensure(&http("zeta"), "next", &[], NOW + 9))
        .await;
    let changes = source.unapplied(2).await;
    let keys: Vec<_> = changes.iter().map(|change| &change.key).collect();
    assert_eq!(keys, [&http("zeta"), &http("mid")]);
}
