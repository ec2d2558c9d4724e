//! One record: written, changed, read back, deleted.

use std::collections::HashSet;
use std::sync::Arc;

use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{Change, ClientId, Credential, CredentialChange};
use hmac_auth::credential_store::{CredentialStore, WriteCondition, WriteOutcome};

use crate::credential_store::{
    assert_same, client, find, hash, rules, set_hash, try_write, walk, write,
};

/// A client that was never written, a change of it, and its deletion.
pub async fn absent_is_none([store, _]: &[Arc<dyn CredentialStore>; 2]) {
    let nobody = client("nobody");
    assert!(find(store, &nobody).await.is_none());
    assert!(!store.delete(&nobody).await.expect("delete"));
    assert!(!store.forget_previous(&nobody).await.expect("forget"));
    let page = store.list(None, 10).await.expect("list");
    assert!(page.entries.is_empty() && page.next.is_none());
}

/// What was written is read through another handle, field by field.
pub async fn a_record_comes_back_whole([store, other]: &[Arc<dyn CredentialStore>; 2]) {
    let id = client("whole");
    let change = CredentialChange {
        secret_hash: Some(hash("whole")),
        expires_at: Change::Set(Some(1_900_000_000_000)),
        allowed_ips: Change::Set(rules(&["10.0.0.0/8", "2001:db8::1"])),
    };
    let written = write(
        store,
        &id,
        change,
        WriteCondition::Always,
        1_700_000_000_001,
    )
    .await;
    let found = find(other, &id).await.expect("the record");
    for credential in [&written, &found.credential] {
        assert!(credential.secret_hash.matches(&hash("whole")));
        assert_eq!(credential.created_at, 1_700_000_000_001);
        assert_eq!(credential.updated_at, 1_700_000_000_001);
        assert_eq!(credential.expires_at, Some(1_900_000_000_000));
        assert_eq!(
            credential.allowed_ips,
            rules(&["10.0.0.0/8", "2001:db8::1"])
        );
    }
    assert!(found.previous.is_none());
}

/// Absent, present and always, and a change without a hash where there is no record.
pub async fn conditions_hold([store, _]: &[Arc<dyn CredentialStore>; 2]) {
    let id = client("conditional");
    let outcome = try_write(store, &id, set_hash("a"), WriteCondition::Present, 1).await;
    assert!(matches!(outcome, WriteOutcome::NotFound), "{outcome:?}");
    for condition in [
        WriteCondition::Always,
        WriteCondition::Absent,
        WriteCondition::Present,
    ] {
        let outcome = try_write(store, &id, CredentialChange::default(), condition, 1).await;
        assert!(
            matches!(outcome, WriteOutcome::NotFound),
            "{condition:?}: {outcome:?}"
        );
    }
    assert!(find(store, &id).await.is_none());
    write(store, &id, set_hash("a"), WriteCondition::Absent, 2).await;
    let outcome = try_write(store, &id, set_hash("b"), WriteCondition::Absent, 3).await;
    assert!(
        matches!(outcome, WriteOutcome::AlreadyExists),
        "{outcome:?}"
    );
    assert_eq!(
        find(store, &id)
            .await
            .expect("the record")
            .credential
            .updated_at,
        2
    );
    write(store, &id, set_hash("b"), WriteCondition::Present, 4).await;
    let found = find(store, &id).await.expect("the record").credential;
    assert!(found.secret_hash.matches(&hash("b")));
    assert_eq!((found.created_at, found.updated_at), (2, 4));
}

/// Every combination of kept, set and cleared parts gives what [`CredentialChange::merge`] gives.
pub async fn a_change_merges([store, _]: &[Arc<dyn CredentialStore>; 2]) {
    let id = client("merged");
    let expiries = [
        Change::Keep,
        Change::Set(None),
        Change::Set(Some(77)),
        Change::Set(Some(-5)),
    ];
    let lists = [
        Change::Keep,
        Change::Set(AllowedIps::default()),
        Change::Set(rules(&["10.1.2.3"])),
        Change::Set(rules(&["10.0.0.0/8", "::1"])),
    ];
    let mut model: Option<Credential> = None;
    let mut now_ms = 1_700_000_000_000;
    for secret in [Some("one"), None, Some("two"), None] {
        for expires_at in &expiries {
            for allowed_ips in &lists {
                now_ms += 1;
                let change = CredentialChange {
                    secret_hash: secret.map(hash),
                    expires_at: *expires_at,
                    allowed_ips: allowed_ips.clone(),
                };
                model = change.merge(model.as_ref(), now_ms);
                let written = write(store, &id, change, WriteCondition::Always, now_ms).await;
                let model = model.as_ref().expect("the model");
                assert_same(&written, model);
                assert_same(
                    &find(store, &id).await.expect("the record").credential,
                    model,
                );
            }
        }
    }
}

/// Client ids with separators, quotes, scripts and characters of many bytes.
pub async fn any_client_id_is_told_from_any_other([store, other]: &[Arc<dyn CredentialStore>; 2]) {
    let long = "ü".repeat(64);
    let names = [
        "a",
        "A",
        "a:b",
        "a:b:c",
        ":a",
        "*",
        "a*",
        "{a}",
        "clients",
        "a b",
        " a",
        "a ",
        "a\"b",
        "a\\b",
        "a'b",
        "%s",
        "ä",
        "日本語",
        "😀",
        "\u{202e}x",
        "0",
        "-1",
        "null",
        "__proto__",
        &long,
    ];
    for (i, name) in (1..).zip(names) {
        write(
            store,
            &client(name),
            set_hash(name),
            WriteCondition::Absent,
            i,
        )
        .await;
    }
    for (i, name) in (1..).zip(names) {
        let found = find(other, &client(name)).await.expect(name);
        assert!(found.credential.secret_hash.matches(&hash(name)), "{name}");
        assert_eq!(found.credential.created_at, i, "{name}");
    }
    let listed: HashSet<ClientId> = walk(store, 5).await.into_keys().collect();
    assert_eq!(listed, names.iter().map(|name| client(name)).collect());
    assert!(store.delete(&client("a")).await.expect("delete"));
    assert!(find(store, &client("a:b")).await.is_some());
}

/// Times beyond what a float can hold survive a change that keeps them.
pub async fn numbers_keep_their_digits([store, _]: &[Arc<dyn CredentialStore>; 2]) {
    for expires_at in [
        0,
        1,
        -1,
        9_007_199_254_740_993,
        -9_007_199_254_740_995,
        i64::MAX,
        i64::MIN,
    ] {
        let id = client(&format!("expires {expires_at}"));
        let mut change = set_hash("big");
        change.expires_at = Change::Set(Some(expires_at));
        write(
            store,
            &id,
            change,
            WriteCondition::Always,
            9_007_199_254_740_993,
        )
        .await;
        write(
            store,
            &id,
            set_hash("bigger"),
            WriteCondition::Always,
            9_007_199_254_740_995,
        )
        .await;
        let found = find(store, &id).await.expect("the record").credential;
        assert_eq!(found.expires_at, Some(expires_at));
        assert_eq!(found.created_at, 9_007_199_254_740_993);
        assert_eq!(found.updated_at, 9_007_199_254_740_995);
    }
}
