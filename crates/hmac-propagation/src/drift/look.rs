//! Reading what a store holds, beside what it should hold.

use std::collections::BTreeMap;

use auth_base::store_error::StoreError;
use hmac_auth::credential::Credential;

use crate::drift::digest::{Content, canonical};
use crate::drift::{StoreView, Tally};
use crate::error::PropagationError;
use crate::management::{DesiredRecord, SettledRow};
use crate::peer_store::{CredentialKey, Stamp, Track};
use crate::shared::Core;

/// A record as it is stored; `Err`: it is corrupt.
type Stored = Option<Result<Credential, &'static str>>;

/// A row, what its peer should hold, and what it does hold.
pub(super) struct Looked {
    pub(super) row: SettledRow,
    pub(super) wanted: Option<DesiredRecord>,
    pub(super) held: Stored,
    pub(super) cursor: Option<Stamp>,
}

impl Looked {
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

    pub(super) fn held_content(&self) -> Content<'_> {
        match &self.held {
            Some(held) => held.as_ref().map_or(Content::Corrupt, Content::from),
            None if self.is_forgotten() => Content::Forgotten,
            None => Content::Deleted,
        }
    }

    /// Tells whether the cursor is gone that keeps an older change from bringing back a client that is not there.
    fn is_forgotten(&self) -> bool {
        self.cursor
            .as_ref()
            .is_none_or(|cursor| cursor.ts < self.row.change_ts)
    }
}

/// Reads what a store holds for each row. Rows that another source has changed since, or whose content cannot be read, are
/// counted and left out.
pub(super) async fn look(
    core: &Core,
    view: &StoreView,
    rows: Vec<SettledRow>,
    tally: &mut Tally,
) -> Result<Vec<Looked>, PropagationError> {
    let keys: Vec<CredentialKey> = rows.iter().map(|row| row.key.clone()).collect();
    let mut stored = records(core, view, &keys).await?;
    // Read after the records: whoever wrote a record that is newer has moved its cursor by now.
    let cursors = core
        .store(view.cursors.cursors(&keys))
        .await
        .map_err(PropagationError::Store)?;
    let mut looked = Vec::with_capacity(rows.len());
    for (row, cursor) in rows.into_iter().zip(cursors) {
        if cursor
            .as_ref()
            .is_some_and(|cursor| row.is_superseded_by(cursor))
        {
            tally.superseded += 1;
            continue;
        }
        match &row.wanted {
            Ok(wanted) => {
                let (wanted, held) = (wanted.clone(), stored.remove(&row.key).flatten());
                looked.push(Looked {
                    row,
                    wanted,
                    held,
                    cursor,
                });
            }
            Err(reason) => {
                tracing::debug!(client_id = %row.key.client_id, reason, "what a peer should hold cannot be read");
                tally.unreadable += 1;
            }
        }
    }
    Ok(looked)
}

/// One round trip for each track.
async fn records(
    core: &Core,
    view: &StoreView,
    keys: &[CredentialKey],
) -> Result<BTreeMap<CredentialKey, Stored>, PropagationError> {
    let mut stored = BTreeMap::new();
    for track in [Track::Http, Track::Message] {
        let keys: Vec<_> = keys.iter().filter(|key| key.track == track).collect();
        if keys.is_empty() {
            continue;
        }
        let unseen =
            || StoreError::Unavailable(format!("no view of the {} track", track.as_str()).into());
        let store = view
            .credentials
            .get(&track)
            .ok_or_else(|| PropagationError::Store(unseen()))?;
        let clients: Vec<_> = keys.iter().map(|key| key.client_id.clone()).collect();
        let found = core
            .store(store.find_many(&clients))
            .await
            .map_err(PropagationError::Store)?;
        stored.extend(keys.into_iter().cloned().zip(found));
    }
    Ok(stored)
}
