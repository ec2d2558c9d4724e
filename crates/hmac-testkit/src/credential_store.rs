//! What every [`CredentialStore`] must do; [`crate::credential_store_cases`] makes a test of each case.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a conformance suite fails by panicking"
)]

pub mod backups;
pub mod races;
pub mod reading;
pub mod records;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auth_base::secret::Secret;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{ClientId, Credential, CredentialChange};
use hmac_auth::credential_store::{
    CredentialStore, CredentialWrite, StoredCredential, WriteCondition, WriteOutcome,
};
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};

const HOUR: Duration = Duration::from_secs(3600);

/// Makes a test of each case. The expression borrows two handles to one empty store: two instances over the same server,
/// where there is one: `credential_store_cases!(memory, &stores());`.
#[macro_export]
macro_rules! credential_store_cases {
    ($implementation:ident, $make:expr) => {
        $crate::cases! {
            $implementation, $make, credential_store {
                records {
                    absent_is_none,
                    a_record_comes_back_whole,
                    conditions_hold,
                    a_change_merges,
                    any_client_id_is_told_from_any_other,
                    numbers_keep_their_digits,
                }
                backups {
                    a_replaced_hash_is_kept_for_a_while,
                    an_unchanged_hash_keeps_the_backup,
                    the_grace_counts_from_the_rotation,
                    delete_takes_the_backup_along,
                    previous_can_be_forgotten,
                }
                races {
                    one_of_many_creators_wins,
                    parallel_changes_are_all_merged,
                }
                reading {
                    a_walk_lists_everything_that_stays,
                    many_are_found_as_each_alone,
                }
            }
        }
    };
}

pub(crate) fn client(name: &str) -> ClientId {
    ClientId::parse(name).expect("a client id")
}

pub(crate) fn hash(plain: &str) -> SecretHash {
    hash_client_secret(&Secret::new(plain), None)
}

pub(crate) fn rules(rules: &[&str]) -> AllowedIps {
    AllowedIps::parse(rules).expect("rules")
}

pub(crate) fn set_hash(plain: &str) -> CredentialChange {
    CredentialChange {
        secret_hash: Some(hash(plain)),
        ..CredentialChange::default()
    }
}

pub(crate) async fn find(
    store: &Arc<dyn CredentialStore>,
    id: &ClientId,
) -> Option<StoredCredential> {
    store.find(id).await.expect("find")
}

pub(crate) async fn write(
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

pub(crate) async fn try_write(
    store: &Arc<dyn CredentialStore>,
    id: &ClientId,
    change: CredentialChange,
    condition: WriteCondition,
    now_ms: i64,
) -> WriteOutcome {
    try_write_for(store, id, change, condition, now_ms, HOUR).await
}

pub(crate) async fn try_write_for(
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

pub(crate) fn assert_same(one: &Credential, other: &Credential) {
    assert!(one.secret_hash.matches(&other.secret_hash));
    assert_eq!(one.created_at, other.created_at);
    assert_eq!(one.updated_at, other.updated_at);
    assert_eq!(one.expires_at, other.expires_at);
    assert_eq!(one.allowed_ips, other.allowed_ips);
}

pub(crate) async fn walk(
    store: &Arc<dyn CredentialStore>,
    limit: usize,
) -> BTreeMap<ClientId, Credential> {
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
