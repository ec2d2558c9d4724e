//! Comparing what a store holds with what it should hold.

use std::collections::BTreeMap;

use auth_base::store_error::StoreError;
use hmac_auth::credential::Credential;

use crate::drift::digest::{Content, canonical};
use crate::drift::report::Tally;
use crate::drift::view::View;
use crate::management::{DesiredRecord, SettledRow};
use crate::peer_store::{CredentialKey, PeerStore, Stamp, Track};

/// A record as it is stored; `Err`: it is corrupt.
type Stored = Option<Result<Credential, &'static str>>;

/// A row, what its peer should hold, and what it does hold.
pub(super) struct Comparison {
    pub(super) row: SettledRow,
    pub(super) wanted: Option<DesiredRecord>,
    pub(super) cursor: Option<Stamp>,
    held: Stored,
}

impl Comparison {
    /// In words, how what is held differs from what is wanted.
    pub(super) fn difference(&self) -> Option<&'static str> {
        let (wanted, held) = match (&self.wanted, &self.held) {
            (None, None) if self.is_forgotten() => {
                return Some("has forgotten that the client was revoked");
            }
            (None, None) => return None,
            (None, Some(_)) => return Some("holds a client that was revoked"),
            (Some(_), None) => return Some("does not hold the client"),
            (Some(_), Some(Err(_))) => return Some("holds a corrupt record"),
            (Some(wanted), Some(Ok(held))) => (wanted, held),
        };
        if !held.secret_hash.matches(&wanted.secret_hash) {
            Some("holds another secret")
        } else if held.expires_at != wanted.expires_at {
            Some("holds another expiry")
        } else if canonical(&held.allowed_ips) != canonical(&wanted.allowed_ips) {
            Some("holds other rules")
        } else {
            None
        }
    }

    /// Tells whether the target took the last event and differs in nothing but what that cleared: it kept an expiry, or rules.
    pub(super) fn keeps_what_was_cleared(&self) -> bool {
        let (Some(wanted), Some(Ok(held))) = (&self.wanted, &self.held) else {
            return false;
        };
        let took_it = |cursor: &Stamp| cursor.ts == self.row.sent_ts;
        let rules = (canonical(&held.allowed_ips), canonical(&wanted.allowed_ips));
        self.cursor.as_ref().is_some_and(took_it)
            && held.secret_hash.matches(&wanted.secret_hash)
            && (wanted.expires_at.is_none() || held.expires_at == wanted.expires_at)
            && (wanted.allowed_ips.is_empty() || rules.0 == rules.1)
    }

    /// Adds it to what was compared.
    pub(super) fn count(&self, tally: &mut Tally) {
        let held = match &self.held {
            Some(held) => held.as_ref().map_or(Content::Corrupt, Content::from),
            None if self.is_forgotten() => Content::Forgotten,
            None => Content::Deleted,
        };
        tally.add(&self.row.key, &Content::of(self.wanted.as_ref()), &held);
    }

    /// Tells whether the cursor is gone that keeps an older change from bringing back a client that
    /// is not there (the tombstone).
    fn is_forgotten(&self) -> bool {
        self.cursor
            .as_ref()
            .is_none_or(|cursor| cursor.ts < self.row.change_ts)
    }
}

/// Reads what a store holds for each row. Rows that another source has changed since, or whose
/// content cannot be read, are counted and left out.
pub(super) async fn compare(
    view: &View,
    rows: Vec<SettledRow>,
    tally: &mut Tally,
) -> Result<Vec<Comparison>, StoreError> {
    let keys: Vec<CredentialKey> = rows.iter().map(|row| row.key.clone()).collect();
    let mut stored = read_records(view, &keys).await?;
    // Read after the records: whoever wrote a record that is newer has moved its cursor by now.
    let cursors = view.cursors.cursors(&keys).await?;
    let mut comparisons = Vec::with_capacity(rows.len());
    for (row, cursor) in rows.into_iter().zip(cursors) {
        if cursor
            .as_ref()
            .is_some_and(|cursor| row.is_superseded_by(cursor))
        {
            tally.superseded += 1;
            continue;
        }
        match &row.wanted {
            Ok(wanted) => comparisons.push(Comparison {
                wanted: wanted.clone(),
                held: stored.remove(&row.key).flatten(),
                row,
                cursor,
            }),
            Err(reason) => {
                tracing::debug!(client_id = %row.key.client_id, reason, "what a peer should hold cannot be read");
                tally.unreadable += 1;
            }
        }
    }
    Ok(comparisons)
}

/// One round trip for each track.
async fn read_records(
    view: &View,
    keys: &[CredentialKey],
) -> Result<BTreeMap<CredentialKey, Stored>, StoreError> {
    let mut stored = BTreeMap::new();
    for track in [Track::Http, Track::Message] {
        let keys: Vec<_> = keys.iter().filter(|key| key.track == track).collect();
        if keys.is_empty() {
            continue;
        }
        let store = view.credentials.get(&track).ok_or_else(|| {
            StoreError::Unavailable(format!("no view of the {} track", track.as_str()).into())
        })?;
        let clients: Vec<_> = keys.iter().map(|key| key.client_id.clone()).collect();
        let found = store.find_many(&clients).await?;
        stored.extend(keys.into_iter().cloned().zip(found));
    }
    Ok(stored)
}
