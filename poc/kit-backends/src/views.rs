//! What the view of the mesh reads of each peer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hmac_auth::credential::ClientId;
use hmac_auth::memory::{MemoryCredentialStore, Watcher};
use hmac_propagation::peer_store::{CredentialKey, Track};
use hmac_propagation_redis::peer_store::PeerStoreOptions;
use hmac_propagation_redis::watch::{self, StoreWatch};
use kit::mesh::stores::{ChangeSource, Changes, StoreChange};
use redis_link::link::RedisLink;
use tokio::sync::Notify;

/// Changes of a store in memory that may wait to be taken; with more of them everything is read again.
const LIMIT: usize = 4_096;

/// The changes of a peer's Redis.
pub(crate) struct RedisChanges {
    pub(crate) link: RedisLink,
    pub(crate) options: PeerStoreOptions,
}

impl ChangeSource for RedisChanges {
    fn watch(&self) -> Box<dyn Changes> {
        Box::new(Announced(StoreWatch::spawn(
            self.link.clone(),
            &self.options,
        )))
    }
}

struct Announced(StoreWatch);

#[async_trait]
impl Changes for Announced {
    async fn next(&mut self) -> StoreChange {
        match self.0.next().await {
            watch::StoreChange::Credentials(keys) => StoreChange::Credentials(keys),
            watch::StoreChange::Everything => StoreChange::Everything,
        }
    }
}

/// The changes of a peer's stores in memory.
pub(crate) struct MemoryChanges {
    pub(crate) http: MemoryCredentialStore,
    pub(crate) message: MemoryCredentialStore,
}

impl ChangeSource for MemoryChanges {
    fn watch(&self) -> Box<dyn Changes> {
        let pending = Arc::new(Pending::default());
        let watcher = |track| -> Arc<Watcher> {
            let pending = Arc::clone(&pending);
            Arc::new(move |client_id: &ClientId| pending.add(track, client_id))
        };
        let watchers = [watcher(Track::Http), watcher(Track::Message)];
        self.http.watch(&watchers[0]);
        self.message.watch(&watchers[1]);
        Box::new(Hooked {
            pending,
            _watchers: watchers,
        })
    }
}

#[derive(Default)]
struct Pending {
    keys: Mutex<BTreeSet<CredentialKey>>,
    arrived: Notify,
}

impl Pending {
    fn add(&self, track: Track, client_id: &ClientId) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // One more than the limit stands for all.
        if keys.len() <= LIMIT {
            keys.insert(CredentialKey {
                track,
                client_id: client_id.clone(),
            });
        }
        drop(keys);
        self.arrived.notify_one();
    }

    fn take(&self) -> BTreeSet<CredentialKey> {
        std::mem::take(&mut *self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Hooked {
    pending: Arc<Pending>,
    _watchers: [Arc<Watcher>; 2],
}

#[async_trait]
impl Changes for Hooked {
    async fn next(&mut self) -> StoreChange {
        loop {
            let keys = self.pending.take();
            if keys.len() > LIMIT {
                return StoreChange::Everything;
            }
            if !keys.is_empty() {
                return StoreChange::Credentials(keys.into_iter().collect());
            }
            self.pending.arrived.notified().await;
        }
    }
}
