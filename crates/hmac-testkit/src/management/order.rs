//! The number and the moment of each change: one after the other, whoever asks at once.

use futures_util::future::join_all;
use hmac_propagation::management::{ChangeRequest, ManagementError};
use hmac_propagation::peer_store::{CredentialKey, Track};

use super::{LEASE, NOW, Source, content, ensure, hash, http, revoke, rotation};

/// Within one millisecond, after a clock step back, past the peer's cursor, and past every retry.
pub async fn change_ts_rises_strictly(source: Source) {
    let (source, key) = (source.with_targets(&["a"]).await, http("rising"));
    let first = source.change(&ensure(&key, "one", &["a"], NOW)).await;
    let same = source.change(&ensure(&key, "two", &["a"], NOW)).await;
    assert_eq!((first.change_ts, same.change_ts), (NOW, NOW + 1));
    let back = source.change(&revoke(&key, &["a"], NOW - 3_600_000)).await;
    assert_eq!(back.change_ts, NOW + 2);
    let floored = ChangeRequest {
        floor_ts: Some(NOW + 500),
        ..ensure(&key, "three", &["a"], NOW)
    };
    assert_eq!(source.change(&floored).await.change_ts, NOW + 501);
    let mut ts = NOW + 501;
    for attempt in 0..4 {
        let row = source.claim_one(NOW + attempt).await;
        assert_eq!(row.ts, ts, "a retry is not newer");
        source.inspect.pass(LEASE).await;
    }
    ts += 1;
    let rotated = source.rotate(&key, "four", NOW).await;
    assert_eq!(rotated.change_ts, ts, "past what was sent");
    let mut past_cursor = rotation(&key, "five", NOW);
    past_cursor.floor_ts = Some(ts + 100);
    let rotated = source
        .management()
        .rotate_credential_secret(&past_cursor)
        .await
        .expect("rotated");
    assert_eq!(rotated.change_ts, ts + 101);
    let later = source
        .change(&ensure(&key, "six", &["a"], NOW + 10_000))
        .await;
    assert_eq!(later.change_ts, NOW + 10_000, "the clock when it is ahead");
    let row = source.claim_one(NOW + 10_000).await;
    assert_eq!(row.ts, NOW + 10_000);
}

/// Case, accents, and everything else that a collation might fold; tracks are apart too.
pub async fn client_ids_are_compared_byte_by_byte(source: Source) {
    let source = source.with_targets(&["a"]).await;
    let names = [
        "client",
        " client",
        "client ",
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
        let accepted = source.change(&ensure(&http(name), name, &["a"], NOW)).await;
        assert!(accepted.created, "{name:?}");
    }
    let message = CredentialKey {
        track: Track::Message,
        ..http("client")
    };
    assert!(
        source
            .change(&ensure(&message, "message", &["a"], NOW))
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
    source.inspect.pass(LEASE).await;
    assert!(source.claim(NOW).await.is_empty());
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
    let requests: Vec<_> = (0..16)
        .map(|n| ensure(&key, &format!("plain-{n}"), &["a", "b"], NOW))
        .collect();
    let changes = requests.iter().enumerate().map(|(n, request)| {
        let management = &source.managements[n % 2];
        async move {
            management
                .upsert_credential_with_targets(request)
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
