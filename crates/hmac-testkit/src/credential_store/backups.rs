//! The replaced hash, kept for a while.

use std::sync::Arc;
use std::time::Duration;

use hmac_auth::credential::{Change, CredentialChange};
use hmac_auth::credential_store::{CredentialStore, WriteCondition};

use crate::credential_store::{client, find, hash, set_hash, try_write_for, write};
use crate::wait::eventually;

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

/// Writes that repeat the hash (rules, an expiry, a resync, the same secret) do not let the old secret in again.
pub async fn the_grace_counts_from_the_rotation([store, _]: &[Arc<dyn CredentialStore>; 2]) {
    let (id, grace) = (client("grace"), Some(Duration::from_millis(100)));
    write(store, &id, set_hash("old"), WriteCondition::Always, 1_000).await;
    let found = find(store, &id).await.expect("the record");
    assert!(found.previous_within(grace, 1_000).is_none());
    write(store, &id, set_hash("new"), WriteCondition::Always, 2_000).await;
    write(store, &id, set_hash("new"), WriteCondition::Always, 2_090).await;
    let found = find(store, &id).await.expect("the record");
    let within = |now_ms| found.previous_within(grace, now_ms).is_some();
    assert!(within(2_100), "the grace runs");
    assert!(
        !within(2_101),
        "from the rotation on, not from the last write"
    );
    assert!(found.previous_within(None, 2_050).is_none());
    write(store, &id, set_hash("newer"), WriteCondition::Always, 3_000).await;
    let found = find(store, &id).await.expect("the record");
    assert!(
        found
            .previous_within(grace, 3_100)
            .expect("a rotation")
            .matches(&hash("new"))
    );
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
