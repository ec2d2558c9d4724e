//! Accepting ensures, rotations and revokes.

use hmac_auth::credential::Change;
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::management::ManagementError;
use hmac_propagation::peer_store::{CredentialKey, Track};

use super::{
    NOW, Source, content, ensure, ensure_with, hash, http, is_unknown_client, peer, revoke,
    rotation,
};

/// One hash for all, pending on each, and the record this peer must hold.
pub async fn an_ensure_books_every_target(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("client"));
    let rules: &[&str] = &["10.0.0.0/8"];
    let request = ensure_with(
        &key,
        "plain",
        &["a", "b"],
        NOW,
        Change::Set(rules),
        Change::Set(Some(NOW + 1_000)),
    );
    let accepted = source.change(&request).await;
    assert!(accepted.created);
    assert_eq!(accepted.change_ts, NOW);
    let record = accepted.record.expect("a record");
    assert!(record.secret_hash.matches(&hash("plain")));
    assert_eq!(
        (record.allowed_ips.rules(), record.expires_at),
        (&["10.0.0.0/8".to_owned()][..], Some(NOW + 1_000))
    );
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
    let again = source.change(&ensure(&key, "other", &["a"], NOW + 1)).await;
    assert!(!again.created);
    assert!(again.generation > accepted.generation);
}

/// Nothing is booked.
pub async fn an_ensure_without_targets_stays_local(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("local"));
    let accepted = source.change(&ensure(&key, "plain", &[], NOW)).await;
    assert!(accepted.created && accepted.record.is_some());
    assert!(source.claim(NOW).await.is_empty());
    let rotated = source.rotate(&key, "next", NOW + 1).await;
    assert!(
        rotated
            .record
            .expect("a record")
            .secret_hash
            .matches(&hash("next"))
    );
    let revoked = source.change(&revoke(&key, &[], NOW + 2)).await;
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
    source.change(&first).await;
    let kept = source
        .change(&ensure(&key, "two", &[], NOW + 1))
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
    let cleared = source.change(&cleared).await.record.expect("a record");
    assert!(cleared.allowed_ips.is_empty() && cleared.expires_at.is_none());
    source.change(&first).await;
    source.change(&revoke(&key, &[], NOW + 4)).await;
    let anew = source.change(&ensure(&key, "five", &[], NOW + 5)).await;
    let record = anew.record.expect("a record");
    assert!(anew.created && record.allowed_ips.is_empty() && record.expires_at.is_none());
}

/// Refused as a whole.
pub async fn unknown_targets_are_all_named_and_nothing_is_written(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("unknown"));
    for request in [
        ensure(&key, "plain", &["x", "a", "y"], NOW),
        revoke(&key, &["x", "a", "y"], NOW),
    ] {
        match source
            .management()
            .upsert_credential_with_targets(&request)
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
    assert!(source.unapplied(10).await.is_empty());
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
        .change(&ensure_with(
            &key,
            "one",
            &["a", "b"],
            NOW,
            Change::Set(old),
            Change::Keep,
        ))
        .await;
    source
        .change(&ensure_with(
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
    source.change(&revoke(&key, &["a"], NOW + 5)).await;
    let claimed = source.claim_one(NOW + 6).await;
    assert_eq!(
        (claimed.target.as_str(), content(&claimed).0),
        ("a", "credential.delete")
    );
    assert_eq!(source.status(&key, "b").await, DeliveryStatus::Pending);
}

/// Those booked for anything but a deletion.
pub async fn a_rotation_reaches_the_booked_targets(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b", "c"]).await, http("rotated"));
    let before = source.change(&ensure(&key, "one", &["a", "b"], NOW)).await;
    source.change(&ensure(&key, "one", &[], NOW + 1)).await;
    source
        .change(&revoke(&http("other"), &["c"], NOW + 1))
        .await;
    assert_eq!(source.claim(NOW + 1).await.len(), 3);
    let accepted = source.rotate(&key, "two", NOW + 2).await;
    assert!(!accepted.created && accepted.generation > before.generation);
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
    source.change(&ensure(&key, "one", &["a"], NOW)).await;
    source.change(&revoke(&key, &[], NOW + 1)).await;
    assert!(is_unknown_client(&rotate().await));
    let message = CredentialKey {
        track: Track::Message,
        ..key.clone()
    };
    source.change(&ensure(&key, "one", &[], NOW + 2)).await;
    assert!(is_unknown_client(
        &source
            .management()
            .rotate_credential_secret(&rotation(&message, "two", NOW))
            .await
    ));
}

/// A deletion carries no record.
pub async fn a_revoke_tells_its_targets(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("revoked"));
    source.change(&ensure(&key, "one", &["a", "b"], NOW)).await;
    let accepted = source.change(&revoke(&key, &["a", "b"], NOW + 1)).await;
    assert!(accepted.record.is_none() && !accepted.created);
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
    source.change(&revoke(&key, &["a"], NOW)).await;
    let row = source.claim_one(NOW).await;
    assert_eq!(content(&row), ("credential.delete", None));
    let local = source.unapplied(10).await;
    assert!(local.len() == 1 && local[0].record.is_none() && local[0].key == key);
}

/// Create where the target was never booked or was last told to delete, else update.
pub async fn create_or_update_is_decided_for_each_target(source: Source) {
    let (source, key) = (source.with_targets(&["a", "b"]).await, http("decided"));
    source.change(&ensure(&key, "one", &["a"], NOW)).await;
    source.claim(NOW).await;
    source
        .change(&ensure(&key, "two", &["a", "b"], NOW + 1))
        .await;
    for row in &source.claim(NOW + 2).await {
        let expected = if row.target == "a" {
            "credential.update"
        } else {
            "credential.create"
        };
        assert_eq!(content(row).0, expected, "{}", row.target);
    }
    source.change(&revoke(&key, &["a"], NOW + 3)).await;
    source
        .change(&ensure(&key, "three", &["a", "b"], NOW + 4))
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

/// It is one delivery, and the first of the credential there.
pub async fn a_target_named_twice_is_told_once(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("twice"));
    source
        .change(&ensure(&key, "plain", &["a", "a"], NOW))
        .await;
    let row = source.claim_one(NOW).await;
    assert_eq!(content(&row).0, "credential.create");
}
