//! What every [`PeerStore`] must do; [`crate::peer_store_cases`] makes a test of each case.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

pub mod applies;
pub mod ledger;

use std::sync::Arc;

use auth_base::secret::Secret;
use hmac_auth::credential::{ClientId, CredentialChange};
use hmac_auth::credential_store::{CredentialStore, StoredCredential};
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_propagation::peer_store::{
    Applied, Apply, ApplyOperation, CredentialKey, PeerStore, Stamp, Track,
};

/// One peer, empty.
pub struct Peer {
    /// Two handles to its store: two instances over the same server, where there is one.
    pub stores: [Arc<dyn PeerStore>; 2],
    /// Where its verifier reads the http track's credentials.
    pub http: Arc<dyn CredentialStore>,
    /// Where its verifier reads the message track's credentials.
    pub message: Arc<dyn CredentialStore>,
}

/// Makes a test of each case. The expression borrows an empty [`Peer`] that holds both tracks:
/// `peer_store_cases!(memory, &peer());`.
#[macro_export]
macro_rules! peer_store_cases {
    ($implementation:ident, $make:expr) => {
        $crate::cases! {
            $implementation, $make, peer_store {
                applies {
                    an_apply_writes_record_and_cursor,
                    an_older_change_never_overwrites_a_newer_one,
                    the_cursor_outlives_a_delete,
                    a_repeated_hash_keeps_the_backup,
                    kept_parts_stay,
                    tracks_are_apart,
                    a_batch_is_applied_in_its_order,
                    parallel_applies_end_with_the_newest,
                    any_client_id_has_a_cursor_of_its_own,
                }
                ledger {
                    an_event_is_found_until_it_is_done,
                    a_newer_event_replaces_the_older,
                    an_older_event_replaces_no_newer,
                    an_answer_to_an_earlier_try_counts,
                    a_refused_try_leaves_the_next_to_count,
                    the_tries_kept_are_bounded,
                    the_last_answer_tells_the_final_status,
                    completing_twice_answers_the_same,
                    ledgers_of_the_tracks_are_apart,
                    parallel_answers_end_once,
                }
            }
        }
    };
}

pub(crate) fn hash(plain: &str) -> SecretHash {
    hash_client_secret(&Secret::new(plain), None)
}

pub(crate) fn set_hash(plain: &str) -> CredentialChange {
    CredentialChange {
        secret_hash: Some(hash(plain)),
        ..CredentialChange::default()
    }
}

pub(crate) fn both_tracks(name: &str) -> [CredentialKey; 2] {
    let client_id = ClientId::parse(name).expect("a client id");
    [Track::Http, Track::Message].map(|track| CredentialKey {
        track,
        client_id: client_id.clone(),
    })
}

pub(crate) fn http(name: &str) -> CredentialKey {
    let [http, _] = both_tracks(name);
    http
}

pub(crate) fn stamp(ts: i64, event_id: &str) -> Stamp {
    Stamp {
        ts,
        event_id: event_id.to_owned(),
    }
}

pub(crate) async fn apply(
    peer: &Peer,
    key: &CredentialKey,
    (ts, event_id): (i64, &str),
    change: CredentialChange,
    now_ms: i64,
) -> Applied {
    apply_operation(
        peer,
        key,
        stamp(ts, event_id),
        ApplyOperation::Write(change),
        now_ms,
    )
    .await
}

pub(crate) async fn remove(
    peer: &Peer,
    key: &CredentialKey,
    (ts, event_id): (i64, &str),
) -> Applied {
    apply_operation(peer, key, stamp(ts, event_id), ApplyOperation::Delete, 0).await
}

pub(crate) async fn apply_operation(
    peer: &Peer,
    key: &CredentialKey,
    stamp: Stamp,
    operation: ApplyOperation,
    now_ms: i64,
) -> Applied {
    let one = Apply {
        key: key.clone(),
        stamp,
        operation,
        now_ms,
    };
    let mut results = peer.stores[0].apply(&[one]).await;
    assert_eq!(results.len(), 1);
    results.remove(0).expect("apply")
}

pub(crate) async fn cursors(peer: &Peer, keys: &[CredentialKey]) -> Vec<Option<Stamp>> {
    peer.stores[1].cursors(keys).await.expect("cursors")
}

pub(crate) async fn stored(peer: &Peer, key: &CredentialKey) -> Option<StoredCredential> {
    let store = match key.track {
        Track::Http => &peer.http,
        Track::Message => &peer.message,
    };
    store.find(&key.client_id).await.expect("find")
}
