//! Applying changes: record and cursor in one step.

use futures_util::future::join_all;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{Change, CredentialChange};
use hmac_propagation::peer_store::{Applied, Apply, ApplyOperation};

use crate::peer_store::{
    Peer, apply, both_tracks, cursors, hash, http, remove, set_hash, stamp, stored,
};

/// The first change of a client, and then its successor, read back through the other handle.
pub async fn an_apply_writes_record_and_cursor(peer: &Peer) {
    let key = http("applied");
    assert_eq!(cursors(peer, std::slice::from_ref(&key)).await, [None]);
    let change = CredentialChange {
        secret_hash: Some(hash("one")),
        expires_at: Change::Set(Some(9_999)),
        allowed_ips: Change::Set(AllowedIps::parse(["10.0.0.0/8"]).expect("rules")),
    };
    assert_eq!(
        apply(peer, &key, (10, "e"), change, 700).await,
        Applied::Written
    );
    let found = stored(peer, &key).await.expect("the record").credential;
    assert!(found.secret_hash.matches(&hash("one")));
    assert_eq!(
        (found.created_at, found.updated_at, found.expires_at),
        (700, 700, Some(9_999))
    );
    assert_eq!(found.allowed_ips.rules(), ["10.0.0.0/8"]);
    assert_eq!(
        apply(peer, &key, (11, "a"), set_hash("two"), 800).await,
        Applied::Written
    );
    let found = stored(peer, &key).await.expect("the record");
    assert!(found.credential.secret_hash.matches(&hash("two")));
    assert_eq!(
        (found.credential.created_at, found.credential.updated_at),
        (700, 800)
    );
    assert!(found.previous.expect("the backup").matches(&hash("one")));
    let unknown = http("unknown");
    assert_eq!(
        cursors(peer, &[unknown, key]).await,
        [None, Some(stamp(11, "a"))]
    );
}

/// By `ts` first, as a number and beyond the exact range of floats; by the bytes of the event id within one `ts`.
pub async fn an_older_change_never_overwrites_a_newer_one(peer: &Peer) {
    let rising = [
        (-10, "z"),
        (-9, "a"),
        (0, "a"),
        (9, "z"),
        (10, "A"),
        (10, "Ab"),
        (10, "B"),
        (10, "_"),
        (10, "a"),
        (10, "ab"),
        (10, "é"),
        (10, "\u{ffff}"),
        (10, "😀"),
        (100, ""),
        (9_007_199_254_740_992, "b"),
        (9_007_199_254_740_993, "a"),
        (9_223_372_036_854_775_806, "a"),
        (i64::MAX, "a"),
    ];
    let key = http("ordered");
    for (i, newest) in rising.into_iter().enumerate() {
        let name = format!("{newest:?}");
        assert_eq!(
            apply(peer, &key, newest, set_hash(&name), 1).await,
            Applied::Written,
            "{name}"
        );
        for older in &rising[..=i] {
            let stale = Applied::Stale {
                cursor: stamp(newest.0, newest.1),
            };
            let answer = apply(peer, &key, *older, set_hash("older"), 2).await;
            assert_eq!(answer, stale, "{older:?} after {name}");
            assert_eq!(
                remove(peer, &key, *older).await,
                stale,
                "deletion {older:?} after {name}"
            );
        }
        let found = stored(peer, &key).await.expect("the record").credential;
        assert!(found.secret_hash.matches(&hash(&name)), "{name}");
        assert_eq!(found.updated_at, 1, "{name}");
    }
}

/// A revoked credential is not brought back by what was said before.
pub async fn the_cursor_outlives_a_delete(peer: &Peer) {
    let key = http("revoked");
    apply(peer, &key, (5, "a"), set_hash("one"), 1).await;
    apply(peer, &key, (6, "a"), set_hash("two"), 2).await;
    assert_eq!(remove(peer, &key, (7, "a")).await, Applied::Written);
    assert!(stored(peer, &key).await.is_none());
    let stale = Applied::Stale {
        cursor: stamp(7, "a"),
    };
    assert_eq!(apply(peer, &key, (6, "z"), set_hash("old"), 3).await, stale);
    assert!(stored(peer, &key).await.is_none());
    assert_eq!(
        apply(peer, &key, (8, "a"), set_hash("anew"), 4).await,
        Applied::Written
    );
    let found = stored(peer, &key).await.expect("the record");
    assert!(found.previous.is_none(), "the backup went with the record");
    assert_eq!(found.credential.created_at, 4);
    let nobody = http("never there");
    assert_eq!(remove(peer, &nobody, (1, "a")).await, Applied::Written);
    assert_eq!(cursors(peer, &[nobody]).await, [Some(stamp(1, "a"))]);
}

/// The same change sent again, newer, does not push the previous hash out.
pub async fn a_repeated_hash_keeps_the_backup(peer: &Peer) {
    let key = http("repeated");
    for (ts, secret) in [(1, "old"), (2, "new"), (3, "new"), (4, "new")] {
        assert_eq!(
            apply(peer, &key, (ts, "e"), set_hash(secret), ts).await,
            Applied::Written
        );
    }
    let found = stored(peer, &key).await.expect("the record");
    assert!(found.previous.expect("the backup").matches(&hash("old")));
    assert_eq!(found.credential.updated_at, 4);
}

/// Parts a change leaves out stay, those it clears go.
pub async fn kept_parts_stay(peer: &Peer) {
    let key = http("kept");
    let full = CredentialChange {
        secret_hash: Some(hash("one")),
        expires_at: Change::Set(Some(9_007_199_254_740_993)),
        allowed_ips: Change::Set(AllowedIps::parse(["10.0.0.1", "::1"]).expect("rules")),
    };
    apply(peer, &key, (1, "e"), full, 1).await;
    apply(peer, &key, (2, "e"), set_hash("two"), 2).await;
    let found = stored(peer, &key).await.expect("the record").credential;
    assert_eq!(found.expires_at, Some(9_007_199_254_740_993));
    assert_eq!(found.allowed_ips.rules(), ["10.0.0.1", "::1"]);
    let clearing = CredentialChange {
        secret_hash: Some(hash("two")),
        expires_at: Change::Set(None),
        allowed_ips: Change::Set(AllowedIps::default()),
    };
    apply(peer, &key, (3, "e"), clearing, 3).await;
    let found = stored(peer, &key).await.expect("the record").credential;
    assert_eq!(found.expires_at, None);
    assert!(found.allowed_ips.is_empty());
}

/// One client id on both tracks is two credentials.
pub async fn tracks_are_apart(peer: &Peer) {
    let [http, message] = both_tracks("shared");
    apply(peer, &http, (10, "e"), set_hash("http"), 1).await;
    assert_eq!(
        apply(peer, &message, (5, "e"), set_hash("message"), 1).await,
        Applied::Written
    );
    assert!(
        stored(peer, &http)
            .await
            .expect("http")
            .credential
            .secret_hash
            .matches(&hash("http"))
    );
    remove(peer, &http, (11, "e")).await;
    assert!(stored(peer, &http).await.is_none());
    let found = stored(peer, &message).await.expect("message").credential;
    assert!(found.secret_hash.matches(&hash("message")));
    assert_eq!(
        cursors(peer, &[http, message]).await,
        [Some(stamp(11, "e")), Some(stamp(5, "e"))]
    );
}

/// Six hundred items of two hundred credentials: results in order, and each credential's items in order.
pub async fn a_batch_is_applied_in_its_order(peer: &Peer) {
    let mut batch = Vec::new();
    for (ts, secret) in [(2, "second"), (3, "third"), (1, "first")] {
        for i in 0..200 {
            batch.push(Apply {
                key: http(&format!("client {i}")),
                stamp: stamp(ts, "e"),
                operation: ApplyOperation::Write(set_hash(secret)),
                now_ms: ts,
            });
        }
    }
    let results = peer.stores[0].apply(&batch).await;
    assert_eq!(results.len(), 600);
    for (i, result) in results.into_iter().enumerate() {
        let expected = if i < 400 {
            Applied::Written
        } else {
            Applied::Stale {
                cursor: stamp(3, "e"),
            }
        };
        assert_eq!(result.expect("apply"), expected, "item {i}");
    }
    for i in [0, 199] {
        let found = stored(peer, &http(&format!("client {i}")))
            .await
            .expect("the record");
        assert!(found.credential.secret_hash.matches(&hash("third")));
        assert!(found.previous.expect("the backup").matches(&hash("second")));
    }
    assert!(peer.stores[0].apply(&[]).await.is_empty());
    assert!(cursors(peer, &[]).await.is_empty());
}

/// Fifty changes in parallel through two handles: what stays is the newest, and its answer was not *stale*.
pub async fn parallel_applies_end_with_the_newest(peer: &Peer) {
    let key = http("contended");
    let results = join_all((0..50_i64).map(|i| {
        let (ts, key) = (1 + (i * 37) % 50, &key);
        let one = Apply {
            key: key.clone(),
            stamp: stamp(ts, "e"),
            operation: ApplyOperation::Write(set_hash(&format!("change {ts}"))),
            now_ms: ts,
        };
        let store = &peer.stores[usize::from(i % 2 == 0)];
        async move { (ts, store.apply(&[one]).await.pop()) }
    }))
    .await;
    let newest = results
        .into_iter()
        .find(|(ts, _)| *ts == 50)
        .and_then(|(_, result)| result);
    assert_eq!(newest.expect("a result").expect("apply"), Applied::Written);
    let found = stored(peer, &key).await.expect("the record").credential;
    assert!(found.secret_hash.matches(&hash("change 50")));
    assert_eq!(cursors(peer, &[key]).await, [Some(stamp(50, "e"))]);
}

/// Separators and characters of many bytes.
pub async fn any_client_id_has_a_cursor_of_its_own(peer: &Peer) {
    let keys: Vec<_> = [
        "a",
        "a:b",
        "http:a",
        "message:a",
        "client-pending:a",
        "日本語",
        "*",
        "a b",
    ]
    .into_iter()
    .flat_map(both_tracks)
    .collect();
    for (i, key) in (1..).zip(&keys) {
        apply(peer, key, (i, "e"), set_hash(&i.to_string()), i).await;
    }
    for (i, (key, cursor)) in (1..).zip(keys.iter().zip(cursors(peer, &keys).await)) {
        assert_eq!(cursor, Some(stamp(i, "e")), "{key:?}");
        let found = stored(peer, key).await.expect("the record").credential;
        assert!(found.secret_hash.matches(&hash(&i.to_string())), "{key:?}");
    }
}
