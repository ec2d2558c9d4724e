//! A peer's own store in memory: atomic apply, cursor, ledger.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use hmac_auth::credential_store::{CredentialWrite, WriteCondition};
use hmac_auth::memory::MemoryCredentialStore;

use crate::lock::lock;
use crate::memory::ledger::Ledger;
use crate::peer_store::{
    AckResult, Applied, Apply, ApplyOperation, CredentialKey, FinalStatus, InFlight, PeerStore,
    Stamp, Track,
};

/// How long a replaced hash stays readable.
const BACKUP_TTL: Duration = Duration::from_secs(600);

/// A [`PeerStore`] over the credential stores that the peer's verifiers read.
pub struct MemoryPeerStore {
    http: MemoryCredentialStore,
    message: MemoryCredentialStore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cursors: HashMap<CredentialKey, Stamp>,
    ledger: Ledger,
}

impl MemoryPeerStore {
    /// Applies to these two stores, one for each track.
    pub fn new(http: MemoryCredentialStore, message: MemoryCredentialStore) -> Self {
        Self {
            http,
            message,
            state: Mutex::default(),
        }
    }

    fn credentials(&self, track: Track) -> &MemoryCredentialStore {
        match track {
            Track::Http => &self.http,
            Track::Message => &self.message,
        }
    }

    /// The cursor's lock is held over the write: the two are one step to every other apply.
    fn apply_one(&self, apply: &Apply) -> Applied {
        let mut state = lock(&self.state);
        if let Some(cursor) = state.cursors.get(&apply.key)
            && *cursor >= apply.stamp
        {
            return Applied::Stale {
                cursor: cursor.clone(),
            };
        }
        let credentials = self.credentials(apply.key.track);
        match &apply.operation {
            ApplyOperation::Delete => {
                credentials.delete_now(&apply.key.client_id);
            }
            ApplyOperation::Write(change) => {
                let write = CredentialWrite {
                    change: change.clone(),
                    condition: WriteCondition::Always,
                    now_ms: apply.now_ms,
                    backup_ttl: BACKUP_TTL,
                };
                credentials.write_now(&apply.key.client_id, &write);
            }
        }
        state.cursors.insert(apply.key.clone(), apply.stamp.clone());
        Applied::Written
    }
}

#[async_trait]
impl PeerStore for MemoryPeerStore {
    fn tracks(&self) -> &[Track] {
        &[Track::Http, Track::Message]
    }

    async fn apply(&self, batch: &[Apply]) -> Vec<Result<Applied, StoreError>> {
        batch
            .iter()
            .map(|apply| Ok(self.apply_one(apply)))
            .collect()
    }

    async fn cursors(&self, keys: &[CredentialKey]) -> Result<Vec<Option<Stamp>>, StoreError> {
        let state = lock(&self.state);
        Ok(keys
            .iter()
            .map(|key| state.cursors.get(key).cloned())
            .collect())
    }

    async fn book(&self, events: &[InFlight]) -> Result<(), StoreError> {
        let mut state = lock(&self.state);
        events.iter().for_each(|event| state.ledger.book(event));
        Ok(())
    }

    async fn find(&self, event_ids: &[String]) -> Result<Vec<Option<InFlight>>, StoreError> {
        let state = lock(&self.state);
        Ok(event_ids.iter().map(|id| state.ledger.find(id)).collect())
    }

    async fn complete(
        &self,
        events: &[(InFlight, AckResult)],
    ) -> Result<Vec<Option<FinalStatus>>, StoreError> {
        let mut state = lock(&self.state);
        Ok(events
            .iter()
            .map(|(event, result)| state.ledger.complete(event, *result))
            .collect())
    }

    async fn discard(&self, events: &[InFlight]) -> Result<(), StoreError> {
        let mut state = lock(&self.state);
        events.iter().for_each(|event| state.ledger.discard(event));
        Ok(())
    }
}
