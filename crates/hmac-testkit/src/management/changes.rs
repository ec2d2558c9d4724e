//! Accepting ensures, rotations and revokes.

use futures_util::future::join_all;
use hmac_auth::credential::Change;
use hmac_propagation::management::{ManagementError, Upsert};
use hmac_propagation::peer_store::{CredentialKey, Track};

use super::{
    NOW, Source, Status, content, ensure, ensure_with, hash, http, is_unknown_client, peer, revoke,
    rotation,
};

pub(super) async fn suite(make: &impl AsyncFn() -> Source) {
    an_ensure_books_every_target(make().await).await;
    an_ensure_without_targets_stays_local(make().await).await;
    kept_parts_stay_and_cleared_ones_go(make().await).await;
    unknown_targets_are_all_named_and_nothing_is_written(make().await).await;
    a_subset_leaves_the_other_targets_alone(make().await).await;
    a_rotation_reaches_the_booked_targets(make().await).await;
    a_rotation_of_nobody_is_refused(make().await).await;
    a_revoke_tells_its_targets(make().await).await;
    a_revoke_of_nobody_tells_all_the_same(make().await).await;
    create_or_update_is_decided_for_each_target(make().await).await;
    change_ts_rises_strictly(make().await).await;
    client_ids_are_compared_byte_by_byte(make().await).await;
    a_batch_is_accepted_in_its_order(make().await).await;
    parallel_changes_are_all_counted(make().await).await;
    peers_are_found_with_their_secrets(make().await).await;
}

/// One hash for all, pending on each, and the record this peer must hold.
pub async fn an_ensure_books_every_target(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("client"));
    let rules: &[&str] = &["10.0.0.0/8"];
    let upsert = ensure_with(
        &key,
        "plain",
        &["a", "b"],
        NOW,
        Change::Set(rules),
        Change::Set(Some(NOW + 1_000)),
    );
    let accepted = source.upsert(&upsert).await;
    assert!(accepted.created);
    assert_eq!(accepted.change_ts, NOW);
    let record = accepted.record.expect("a record");
    assert!(record.secret_hash.matches(&hash("plain")));
    assert_eq!(
        (record.allowed_ips.rules(), record.expires_at),
        (&["10.0.0.0/8".to_owned()][..], Some(NOW + 1_000))
    );
    assert!(source.inspect.holds_plain(&key).await);
    let mut claimed = source.claim(NOW).await;
    claimed.sort_by(|one, other| one.target.cmp(&other.target));
    assert_eq!(
        claimed
            .iter()
            .map(|row| row.target.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    for row in &claimed {
        let expected = (
            hash("plain").expose().to_owned(),
            vec!["10.0.0.0/8".to_owned()],
            Some(NOW + 1_000),
        );
        assert_eq!(content(row), ("credential.create", Some(expected)));
        assert_eq!(
            (&row.key, row.generation, row.attempt, row.ts),
            (&key, accepted.generation, 1, NOW)
        );
        let message = row.message.as_ref().expect("sendable");
        assert_eq!(
            message.propagation_secret.expose(),
            format!("{}-secret", row.target)
        );
    }
    let again = source.upsert(&ensure(&key, "other", &["a"], NOW + 1)).await;
    assert!(!again.created);
    assert!(again.generation > accepted.generation);
}

/// Nothing is booked, and no plain is kept.
pub async fn an_ensure_without_targets_stays_local(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("local"));
    let accepted = source.upsert(&ensure(&key, "plain", &[], NOW)).await;
    assert!(accepted.created && accepted.record.is_some());
    assert!(!source.inspect.holds_plain(&key).await);
    assert!(source.claim(NOW).await.is_empty());
    let rotated = source.rotate(&key, "next", NOW + 1).await;
    assert!(
        rotated
            .record
            .expect("a record")
            .secret_hash
            .matches(&hash("next"))
    );
    assert!(!source.inspect.holds_plain(&key).await);
    let revoked = source.upsert(&revoke(&key, &[], NOW + 2)).await;
    assert!(revoked.record.is_none());
    assert!(source.claim(NOW + 3).await.is_empty());
}

/// Absent keeps the stored value, an explicit null clears it, and nothing outlives a revoke.
pub async fn kept_parts_stay_and_cleared_ones_go(source: Source) {
    let key = http("parts");
    let rules: &[&str] = &["10.1.2.3"];
    let first = ensure_with(
        &key,
        "one",
        &[],
        NOW,
        Change::Set(rules),
        Change::Set(Some(7)),
    );
    source.upsert(&first).await;
    let kept = source
        .upsert(&ensure(&key, "two", &[], NOW + 1))
        .await
        .record
        .expect("a record");
    assert_eq!(
        (kept.allowed_ips.rules(), kept.expires_at),
        (&["10.1.2.3".to_owned()][..], Some(7))
    );
    let rotated = source
        .rotate(&key, "three", NOW + 2)
        .await
        .record
        .expect("a record");
    assert_eq!(
        (rotated.allowed_ips.rules(), rotated.expires_at),
        (&["10.1.2.3".to_owned()][..], Some(7))
    );
    let none: &[&str] = &[];
    let cleared = ensure_with(
        &key,
        "four",
        &[],
        NOW + 3,
        Change::Set(none),
        Change::Set(None),
    );
    let cleared = source.upsert(&cleared).await.record.expect("a record");
    assert!(cleared.allowed_ips.is_empty() && cleared.expires_at.is_none());
    source.upsert(&first).await;
    source.upsert(&revoke(&key, &[], NOW + 4)).await;
    let anew = source.upsert(&ensure(&key, "five", &[], NOW + 5)).await;
    let record = anew.record.expect("a record");
    assert!(anew.created && record.allowed_ips.is_empty() && record.expires_at.is_none());
}

/// Refused as a whole.
pub async fn unknown_targets_are_all_named_and_nothing_is_written(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("unknown"));
    for upsert in [
        ensure(&key, "plain", &["x", "a", "y"], NOW),
        revoke(&key, &["x", "a", "y"], NOW),
    ] {
        match source
            .management()
            .upsert_credential_with_targets(&upsert)
            .await
        {
            Err(ManagementError::UnknownTargets { mut targets }) => {
                targets.sort();
                assert_eq!(targets, ["x", "y"]);
            }
            other => panic!("not refused: {other:?}"),
        }
    }
    assert!(source.claim(NOW).await.is_empty());
    assert!(
        source
            .management()
            .unapplied_changes(10)
            .await
            .expect("changes")
            .is_empty()
    );
    assert!(is_unknown_client(
        &source
            .management()
            .rotate_credential_secret(&rotation(&key, "p", NOW))
            .await
    ));
}

/// A change for some targets leaves what the others should hold, also when they have not been told yet; a rotation
/// changes the secret everywhere and nothing else.
pub async fn a_subset_leaves_the_other_targets_alone(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("subset"));
    let (old, new): (&[&str], &[&str]) = (&["10.0.0.1"], &["10.0.0.2"]);
    source
        .upsert(&ensure_with(
            &key,
            "one",
            &["a", "b"],
            NOW,
            Change::Set(old),
            Change::Keep,
        ))
        .await;
    source
        .upsert(&ensure_with(
            &key,
            "two",
            &["a"],
            NOW + 1,
            Change::Set(new),
            Change::Set(Some(9)),
        ))
        .await;
    let expected = |plain: &str, rule: &str, expiry| {
        Some((
            hash(plain).expose().to_owned(),
            vec![rule.to_owned()],
            expiry,
        ))
    };
    let claimed = source.claim(NOW + 2).await;
    assert_eq!(claimed.len(), 2);
    for row in &claimed {
        let (_, record) = content(row);
        match row.target.as_str() {
            "a" => assert_eq!(record, expected("two", "10.0.0.2", Some(9))),
            _ => assert_eq!(record, expected("one", "10.0.0.1", None)),
        }
    }
    source.rotate(&key, "three", NOW + 3).await;
    for row in &source.claim(NOW + 4).await {
        let (_, record) = content(row);
        match row.target.as_str() {
            "a" => assert_eq!(record, expected("three", "10.0.0.2", Some(9))),
            _ => assert_eq!(record, expected("three", "10.0.0.1", None)),
        }
    }
    source.upsert(&revoke(&key, &["a"], NOW + 5)).await;
    let claimed = source.claim_one(NOW + 6).await;
    assert_eq!(
        (claimed.target.as_str(), content(&claimed).0),
        ("a", "credential.delete")
    );
    assert_eq!(source.status(&key, "b").await, Status::Pending);
}

/// Those booked for anything but a deletion.
pub async fn a_rotation_reaches_the_booked_targets(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b", "c"]).await, http("rotated"));
    let before = source.upsert(&ensure(&key, "one", &["a", "b"], NOW)).await;
    source.upsert(&ensure(&key, "one", &[], NOW + 1)).await;
    source
        .upsert(&revoke(&http("other"), &["c"], NOW + 1))
        .await;
    assert_eq!(source.claim(NOW + 1).await.len(), 3);
    let accepted = source.rotate(&key, "two", NOW + 2).await;
    assert!(!accepted.created && accepted.generation > before.generation);
    assert!(source.inspect.holds_plain(&key).await);
    let claimed = source.claim(NOW + 3).await;
    assert_eq!(claimed.len(), 2, "{claimed:?}");
    for row in &claimed {
        let (operation, record) = content(row);
        assert_eq!(
            (operation, row.generation),
            ("credential.update", accepted.generation)
        );
        assert_eq!(record.expect("a record").0, hash("two").expose());
    }
}

/// Neither an unknown nor a revoked client can be rotated.
pub async fn a_rotation_of_nobody_is_refused(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("nobody"));
    let attempt = rotation(&key, "two", NOW + 9);
    let rotate = || source.management().rotate_credential_secret(&attempt);
    assert!(is_unknown_client(&rotate().await));
    source.upsert(&ensure(&key, "one", &["a"], NOW)).await;
    source.upsert(&revoke(&key, &[], NOW + 1)).await;
    assert!(is_unknown_client(&rotate().await));
    let message = CredentialKey {
        track: Track::Message,
        ..key.clone()
    };
    source.upsert(&ensure(&key, "one", &[], NOW + 2)).await;
    assert!(is_unknown_client(
        &source
            .management()
            .rotate_credential_secret(&rotation(&message, "two", NOW))
            .await
    ));
}

/// A deletion carries no record, and no plain is kept.
pub async fn a_revoke_tells_its_targets(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("revoked"));
    source.upsert(&ensure(&key, "one", &["a", "b"], NOW)).await;
    let accepted = source.upsert(&revoke(&key, &["a", "b"], NOW + 1)).await;
    assert!(accepted.record.is_none() && !accepted.created);
    assert!(!source.inspect.holds_plain(&key).await);
    let claimed = source.claim(NOW + 2).await;
    assert_eq!(claimed.len(), 2);
    assert!(
        claimed
            .iter()
            .all(|row| content(row) == ("credential.delete", None))
    );
    assert!(
        claimed
            .iter()
            .all(|row| row.generation == accepted.generation)
    );
}

/// The targets may hold what this source has never heard of.
pub async fn a_revoke_of_nobody_tells_all_the_same(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("never-seen"));
    source.upsert(&revoke(&key, &["a"], NOW)).await;
    let row = source.claim_one(NOW).await;
    assert_eq!(content(&row), ("credential.delete", None));
    let local = source
        .management()
        .unapplied_changes(10)
        .await
        .expect("changes");
    assert!(local.len() == 1 && local[0].record.is_none() && local[0].key == key);
}

/// Create where the target was never booked or was last told to delete, else update.
pub async fn create_or_update_is_decided_for_each_target(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("decided"));
    source.upsert(&ensure(&key, "one", &["a"], NOW)).await;
    source.claim(NOW).await;
    source
        .upsert(&ensure(&key, "two", &["a", "b"], NOW + 1))
        .await;
    for row in &source.claim(NOW + 2).await {
        let expected = if row.target == "a" {
            "credential.update"
        } else {
            "credential.create"
        };
        assert_eq!(content(row).0, expected, "{}", row.target);
    }
    source.upsert(&revoke(&key, &["a"], NOW + 3)).await;
    source
        .upsert(&ensure(&key, "three", &["a", "b"], NOW + 4))
        .await;
    for row in &source.claim(NOW + 5).await {
        let expected = if row.target == "a" {
            "credential.create"
        } else {
            "credential.update"
        };
        assert_eq!(content(row).0, expected, "{}", row.target);
    }
}

/// Within one millisecond, after a clock step back, past the peer's cursor, and past every retry.
pub async fn change_ts_rises_strictly(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("rising"));
    let first = source.upsert(&ensure(&key, "one", &["a"], NOW)).await;
    let same = source.upsert(&ensure(&key, "two", &["a"], NOW)).await;
    assert_eq!((first.change_ts, same.change_ts), (NOW, NOW + 1));
    let back = source.upsert(&revoke(&key, &["a"], NOW - 3_600_000)).await;
    assert_eq!(back.change_ts, NOW + 2);
    let floored = Upsert {
        floor_ts: Some(NOW + 500),
        ..ensure(&key, "three", &["a"], NOW)
    };
    assert_eq!(source.upsert(&floored).await.change_ts, NOW + 501);
    let mut ts = NOW + 501;
    for attempt in 0..4 {
        let row = source.claim_one(NOW + attempt * LONG).await;
        assert_eq!(row.ts, ts, "one more on every further try");
        ts += 1;
    }
    let rotated = source.rotate(&key, "four", NOW).await;
    assert_eq!(rotated.change_ts, ts, "past every retry");
    let mut past_cursor = rotation(&key, "five", NOW);
    past_cursor.floor_ts = Some(ts + 100);
    let rotated = source
        .management()
        .rotate_credential_secret(&past_cursor)
        .await
        .expect("rotated");
    assert_eq!(rotated.change_ts, ts + 101);
    let later = source
        .upsert(&ensure(&key, "six", &["a"], NOW + 10_000))
        .await;
    assert_eq!(later.change_ts, NOW + 10_000, "the clock when it is ahead");
    let row = source.claim_one(NOW + 10_000).await;
    assert_eq!(row.ts, NOW + 10_000);
}

const LONG: i64 = super::LEASE + 1;

/// Case, accents, and everything else that a collation might fold; tracks are apart too.
pub async fn client_ids_are_compared_byte_by_byte(source: Source) {
    let source = source.with_targets(&["a"]).await;
    let names = [
        "client",
        "Client",
        "CLIENT",
        "clíent",
        "cli\u{301}ent",
        "ß",
        "ss",
        "\u{1f600}",
        "a/b",
        "%",
        "_",
        "\"'\\",
    ];
    for name in names {
        let accepted = source.upsert(&ensure(&http(name), name, &["a"], NOW)).await;
        assert!(accepted.created, "{name:?}");
    }
    let message = CredentialKey {
        track: Track::Message,
        ..http("client")
    };
    assert!(
        source
            .upsert(&ensure(&message, "message", &["a"], NOW))
            .await
            .created
    );
    let claimed = source.claim(NOW).await;
    assert_eq!(claimed.len(), names.len() + 1);
    for row in claimed {
        let plain = if row.key.track == Track::Message {
            "message"
        } else {
            row.key.client_id.as_str()
        };
        assert_eq!(
            content(&row).1.expect("a record").0,
            hash(plain).expose(),
            "{row:?}"
        );
        source.acknowledge(&row, NOW).await;
    }
    assert!(source.claim(NOW + LONG).await.is_empty());
}

/// Each by itself, also when one is refused or a client comes twice.
pub async fn a_batch_is_accepted_in_its_order(source: Source) {
    let source = source.with_targets(&["a", "b"]).await;
    let (one, two) = (http("batch-one"), http("batch-two"));
    let batch = [
        ensure(&one, "1", &["a", "b"], NOW),
        ensure(&two, "2", &["missing"], NOW),
        revoke(&one, &["a"], NOW),
        ensure(&two, "3", &["b"], NOW),
        ensure(&one, "4", &["b"], NOW),
    ];
    let results = source
        .management()
        .upsert_credentials_with_targets(&batch)
        .await;
    assert_eq!(results.len(), batch.len());
    assert!(
        matches!(&results[1], Err(ManagementError::UnknownTargets { targets }) if *targets == ["missing"])
    );
    let accepted: Vec<_> = results.into_iter().flatten().collect();
    let created: Vec<_> = accepted.iter().map(|accepted| accepted.created).collect();
    assert_eq!(created, [true, false, true, true]);
    assert!(
        accepted[0].change_ts < accepted[1].change_ts
            && accepted[1].change_ts < accepted[3].change_ts
    );
    let mut claimed = source.claim(NOW).await;
    claimed.sort_by(|x, y| (&x.key, &x.target).cmp(&(&y.key, &y.target)));
    let rows: Vec<_> = claimed
        .iter()
        .map(|row| (row.key.clone(), row.target.as_str(), content(row).0))
        .collect();
    assert_eq!(
        rows,
        [
            (one.clone(), "a", "credential.delete"),
            (one.clone(), "b", "credential.update"),
            (two, "b", "credential.create")
        ]
    );
    assert!(
        source
            .management()
            .upsert_credentials_with_targets(&[])
            .await
            .is_empty()
    );
}

/// Two replicas and many tasks change one client, new to both: every change has a number and a moment of its own.
pub async fn parallel_changes_are_all_counted(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("parallel"));
    let upserts: Vec<_> = (0..16)
        .map(|n| ensure(&key, &format!("plain-{n}"), &["a", "b"], NOW))
        .collect();
    let changes = upserts.iter().enumerate().map(|(n, upsert)| {
        let management = &source.managements[n % 2];
        async move {
            management
                .upsert_credential_with_targets(upsert)
                .await
                .expect("accepted")
        }
    });
    let mut accepted = join_all(changes).await;
    accepted.sort_by_key(|accepted| accepted.generation);
    assert!(
        accepted
            .windows(2)
            .all(|pair| pair[0].generation < pair[1].generation)
    );
    assert!(
        accepted
            .windows(2)
            .all(|pair| pair[0].change_ts < pair[1].change_ts)
    );
    assert_eq!(
        accepted.iter().filter(|accepted| accepted.created).count(),
        1
    );
    let last = accepted
        .pop()
        .and_then(|accepted| accepted.record)
        .expect("a record");
    let claimed = source.claim(NOW + 1).await;
    assert_eq!(claimed.len(), 2);
    for row in claimed {
        assert_eq!(
            content(&row).1.expect("a record").0,
            last.secret_hash.expose()
        );
    }
}

/// What acks are signed with.
pub async fn peers_are_found_with_their_secrets(source: Source) {
    let source = source.with_targets(&["a", "A"]).await;
    for name in ["a", "A"] {
        let found = source
            .management()
            .fetch_source_propagation_secret(&peer(name))
            .await
            .expect("an answer");
        assert_eq!(found.expect("a secret").expose(), format!("{name}-secret"));
    }
    assert!(
        source
            .management()
            .fetch_source_propagation_secret(&peer("b"))
            .await
            .expect("an answer")
            .is_none()
    );
}
