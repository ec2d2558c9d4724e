//! What every [`CredentialStore`] must do.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use hmac_auth::{CredentialStore, MemoryCredentialStore};
//! # async fn example() {
//! hmac_testkit::credential_store::suite(async || {
//!     let store = Arc::new(MemoryCredentialStore::new());
//!     [store.clone() as Arc<dyn CredentialStore>, store]
//! })
//! .await;
//! # }
//! ```
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a conformance suite fails by panicking"
)]

pub mod many;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use auth_base::secret::Secret;
use futures_util::future::join_all;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{Change, ClientId, Credential, CredentialChange};
use hmac_auth::credential_store::{
    CredentialStore, CredentialWrite, StoredCredential, WriteCondition, WriteOutcome,
};
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};

use crate::eventually;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs everything. `make` gives two handles to one empty store: two instances over the same server, where there is one.
///
/// # Panics
/// Where the store breaks its contract.
pub async fn suite(make: impl AsyncFn() -> [Arc<dyn CredentialStore>; 2]) {
    absent_is_none(&make().await).await;
    a_record_comes_back_whole(&make().await).await;
    conditions_hold(&make().await).await;
    a_change_merges(&make().await).await;
    a_replaced_hash_is_kept_for_a_while(&make().await).await;
    an_unchanged_hash_keeps_the_backup(&make().await).await;
    delete_takes_the_backup_along(&make().await).await;
    previous_can_be_forgotten(&make().await).await;
    any_client_id_is_told_from_any_other(&make().await).await;
    numbers_keep_their_digits(&make().await).await;
    one_of_many_creators_wins(&make().await).await;
    parallel_changes_are_all_merged(&make().await).await;
    a_walk_lists_everything_that_stays(&make().await).await;
    many::many_are_found_as_each_alone(&make().await).await;
}

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

/// The backup appears with a change of the hash and goes by itself.
pub async fn a_replaced_hash_is_kept_for_a_while([store, other]: &[Arc<dyn CredentialStore>; 2]) {
    let id = client("rotated");
    write(store, &id, set_hash("old"), WriteCondition::Always, 1).await;
    assert!(
        find(store, &id)
            .await
            .expect("the record")
            .previous
            .is_none()
    );
    let short = Duration::from_secs(2);
    try_write_for(
        store,
        &id,
        set_hash("new"),
        WriteCondition::Always,
        2,
        short,
    )
    .await;
    let found = find(other, &id).await.expect("the record");
    assert!(found.credential.secret_hash.matches(&hash("new")));
    assert!(found.previous.expect("the backup").matches(&hash("old")));
    eventually("the backup expires", async || {
        find(other, &id)
            .await
            .expect("the record")
            .previous
            .is_none()
    })
    .await;
    assert!(find(store, &id).await.is_some(), "the record stays");
}

/// A write of the same hash, or of none, touches the backup as little as a read does.
pub async fn an_unchanged_hash_keeps_the_backup([store, _]: &[Arc<dyn CredentialStore>; 2]) {
    let id = client("steady");
    write(store, &id, set_hash("old"), WriteCondition::Always, 1).await;
    write(store, &id, set_hash("new"), WriteCondition::Always, 2).await;
    write(store, &id, set_hash("new"), WriteCondition::Always, 3).await;
    let cleared = CredentialChange {
        expires_at: Change::Set(None),
        ..CredentialChange::default()
    };
    write(store, &id, cleared, WriteCondition::Always, 4).await;
    let previous = find(store, &id).await.expect("the record").previous;
    assert!(previous.expect("the backup").matches(&hash("old")));
    write(store, &id, set_hash("newer"), WriteCondition::Always, 5).await;
    let previous = find(store, &id).await.expect("the record").previous;
    assert!(previous.expect("the backup").matches(&hash("new")));
}

/// A client made anew has nothing to be reverted to.
pub async fn delete_takes_the_backup_along([store, other]: &[Arc<dyn CredentialStore>; 2]) {
    let id = client("leaked");
    write(store, &id, set_hash("leaked"), WriteCondition::Always, 1).await;
    write(store, &id, set_hash("mended"), WriteCondition::Always, 2).await;
    assert!(other.delete(&id).await.expect("delete"));
    assert!(!store.delete(&id).await.expect("delete"));
    assert!(find(store, &id).await.is_none());
    assert!(!store.forget_previous(&id).await.expect("forget"));
    write(store, &id, set_hash("anew"), WriteCondition::Absent, 3).await;
    let found = find(store, &id).await.expect("the record");
    assert!(found.previous.is_none());
    assert_eq!(found.credential.created_at, 3);
}

/// Forgetting ends the overlap of a rotation at once, and only that.
pub async fn previous_can_be_forgotten([store, other]: &[Arc<dyn CredentialStore>; 2]) {
    let id = client("retired");
    write(store, &id, set_hash("old"), WriteCondition::Always, 1).await;
    write(store, &id, set_hash("new"), WriteCondition::Always, 2).await;
    assert!(store.forget_previous(&id).await.expect("forget"));
    assert!(!store.forget_previous(&id).await.expect("forget"));
    let found = find(other, &id).await.expect("the record");
    assert!(found.previous.is_none());
    assert!(found.credential.secret_hash.matches(&hash("new")));
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

/// Fifty callers create one client through two handles: one wins, and its hash is the one that stays.
pub async fn one_of_many_creators_wins(stores: &[Arc<dyn CredentialStore>; 2]) {
    let id = client("contended");
    let outcomes = join_all((0..50).map(|i| {
        let (store, id) = (&stores[i % 2], &id);
        async move {
            let change = set_hash(&format!("creator {i}"));
            try_write(store, id, change, WriteCondition::Absent, 1).await
        }
    }))
    .await;
    let winners: Vec<usize> = (0..50)
        .filter(|&i| matches!(outcomes[i], WriteOutcome::Written(_)))
        .collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    let lost = |outcome: &&WriteOutcome| matches!(outcome, WriteOutcome::AlreadyExists);
    assert_eq!(outcomes.iter().filter(lost).count(), 49);
    let found = find(&stores[0], &id).await.expect("the record").credential;
    assert!(
        found
            .secret_hash
            .matches(&hash(&format!("creator {}", winners[0])))
    );
}

/// Fifty writers each change one part of a record; no change undoes that of another part.
pub async fn parallel_changes_are_all_merged(stores: &[Arc<dyn CredentialStore>; 2]) {
    let id = client("busy");
    write(
        &stores[0],
        &id,
        set_hash("first"),
        WriteCondition::Always,
        1,
    )
    .await;
    join_all((0..50).map(|i| {
        let (store, id) = (&stores[i % 2], &id);
        let change = match i % 5 {
            0 | 1 => CredentialChange {
                expires_at: Change::Set(Some(4_000)),
                ..CredentialChange::default()
            },
            2 | 3 => CredentialChange {
                allowed_ips: Change::Set(rules(&["10.9.8.7"])),
                ..CredentialChange::default()
            },
            _ => set_hash(&format!("writer {i}")),
        };
        async move { write(store, id, change, WriteCondition::Present, 2).await }
    }))
    .await;
    let found = find(&stores[1], &id).await.expect("the record");
    assert_eq!(found.credential.created_at, 1);
    assert_eq!(found.credential.expires_at, Some(4_000));
    assert_eq!(found.credential.allowed_ips, rules(&["10.9.8.7"]));
    let written: Vec<SecretHash> = (0..50)
        .filter(|i| i % 5 == 4)
        .map(|i| hash(&format!("writer {i}")))
        .collect();
    let current = &found.credential.secret_hash;
    let previous = found.previous.expect("a backup");
    assert!(written.iter().any(|hash| hash.matches(current)));
    assert!(written.iter().any(|hash| hash.matches(&previous)) && !previous.matches(current));
}

/// Three hundred records, walked in small pages while others come and go.
pub async fn a_walk_lists_everything_that_stays([store, other]: &[Arc<dyn CredentialStore>; 2]) {
    let name = |kind: &str, i: usize| client(&format!("{kind} {i}"));
    for i in 0..300 {
        write(
            store,
            &name("stays", i),
            set_hash("x"),
            WriteCondition::Always,
            1,
        )
        .await;
        write(
            store,
            &name("goes", i),
            set_hash("x"),
            WriteCondition::Always,
            1,
        )
        .await;
    }
    let churn = async {
        for i in 0..300 {
            other.delete(&name("goes", i)).await.expect("delete");
            write(
                other,
                &name("comes", i),
                set_hash("x"),
                WriteCondition::Always,
                1,
            )
            .await;
        }
    };
    let (listed, ()) = futures_util::future::join(walk(store, 10), churn).await;
    for i in 0..300 {
        assert!(
            listed.contains_key(&name("stays", i)),
            "record {i} is missing"
        );
    }
    let listed = walk(store, 1_000).await;
    assert_eq!(listed.len(), 600);
    assert!(!listed.keys().any(|id| id.as_str().starts_with("goes")));
}

async fn walk(store: &Arc<dyn CredentialStore>, limit: usize) -> BTreeMap<ClientId, Credential> {
    let mut listed = BTreeMap::new();
    let mut cursor = None;
    for _ in 0..10_000 {
        let page = store.list(cursor.as_deref(), limit).await.expect("list");
        for (id, credential) in page.entries {
            listed.insert(id, credential.expect("a whole record"));
        }
        cursor = page.next;
        if cursor.is_none() {
            return listed;
        }
    }
    panic!("the walk does not end");
}

fn client(name: &str) -> ClientId {
    ClientId::parse(name).expect("a client id")
}

fn hash(plain: &str) -> SecretHash {
    hash_client_secret(&Secret::new(plain), None)
}

fn rules(rules: &[&str]) -> AllowedIps {
    AllowedIps::parse(rules).expect("rules")
}

fn set_hash(plain: &str) -> CredentialChange {
    CredentialChange {
        secret_hash: Some(hash(plain)),
        ..CredentialChange::default()
    }
}

async fn find(store: &Arc<dyn CredentialStore>, id: &ClientId) -> Option<StoredCredential> {
    store.find(id).await.expect("find")
}

async fn write(
    store: &Arc<dyn CredentialStore>,
    id: &ClientId,
    change: CredentialChange,
    condition: WriteCondition,
    now_ms: i64,
) -> Credential {
    match try_write(store, id, change, condition, now_ms).await {
        WriteOutcome::Written(credential) => credential,
        other => panic!("{id} was not written: {other:?}"),
    }
}

async fn try_write(
    store: &Arc<dyn CredentialStore>,
    id: &ClientId,
    change: CredentialChange,
    condition: WriteCondition,
    now_ms: i64,
) -> WriteOutcome {
    try_write_for(store, id, change, condition, now_ms, HOUR).await
}

async fn try_write_for(
    store: &Arc<dyn CredentialStore>,
    id: &ClientId,
    change: CredentialChange,
    condition: WriteCondition,
    now_ms: i64,
    backup_ttl: Duration,
) -> WriteOutcome {
    let write = CredentialWrite {
        change,
        condition,
        now_ms,
        backup_ttl,
    };
    store.write(id, write).await.expect("write")
}

fn assert_same(one: &Credential, other: &Credential) {
    assert!(one.secret_hash.matches(&other.secret_hash));
    assert_eq!(one.created_at, other.created_at);
    assert_eq!(one.updated_at, other.updated_at);
    assert_eq!(one.expires_at, other.expires_at);
    assert_eq!(one.allowed_ips, other.allowed_ips);
}
