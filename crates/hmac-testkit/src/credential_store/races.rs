//! Many callers at once.

use std::sync::Arc;

use futures_util::future::join_all;
use hmac_auth::credential::{Change, CredentialChange};
use hmac_auth::credential_store::{CredentialStore, WriteCondition, WriteOutcome};
use hmac_auth::secret_hash::SecretHash;

use crate::credential_store::{client, find, hash, rules, set_hash, try_write, write};

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
