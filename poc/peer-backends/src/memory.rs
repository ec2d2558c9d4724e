//! Everything in this process: an in-process broker and stores in memory. For demos, tests and whoever has one machine; the
//! same peers as over real servers but for the adapters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_base::nonce_store::MemoryNonceStore;
use hmac_auth::credential::ClientId;
use hmac_auth::credential_store::CredentialStore;
use hmac_auth::memory::{MemoryCredentialStore, Watcher};
use hmac_propagation::memory::broker::{MemoryBroker, MemoryBus};
use hmac_propagation::memory::peer_store::MemoryPeerStore;
use hmac_propagation::peer_store::{CredentialKey, Track};
use hmac_propagation::queue::PeerName;
use mesh_view::stores::{ChangeSource, Changes, PeerStoreView, StoreChange};
use peer_kit::config::{Config, Role};
use tokio::sync::Notify;

use crate::backends::Backends;

/// Changes of a store in memory that may wait to be taken; with more of them everything is read again.
const LIMIT: usize = 4_096;

/// The backends of several peers in one process. Clones share them; what a peer holds outlives its stop.
#[derive(Clone, Default)]
pub struct Memory {
    bus: MemoryBus,
    stores: Arc<Mutex<BTreeMap<PeerName, MemoryStores>>>,
}

/// What one peer holds in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryStores {
    /// Credentials of the http track.
    pub http: MemoryCredentialStore,
    /// Credentials of the message track.
    pub message: MemoryCredentialStore,
    nonces: MemoryNonceStore,
    used_tokens: MemoryNonceStore,
    peer_store: Arc<MemoryPeerStore>,
}

impl Memory {
    /// What the peer holds; empty until it receives something.
    pub fn stores(&self, peer: &PeerName) -> MemoryStores {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores
            .entry(peer.clone())
            .or_insert_with(MemoryStores::new)
            .clone()
    }

    /// The backends of one peer. Its `AMQP_URL` and `REDIS_URL` count for nothing, and it sees the stores of the peers that it
    /// has URLs of.
    pub fn backends(&self, config: &Config) -> Backends {
        let mut names = BTreeSet::from([config.peer.clone()]);
        if let Role::Full(full) = &config.role {
            names.extend(full.peer_urls.iter().map(|(name, _)| name.clone()));
        }
        let views = names
            .into_iter()
            .map(|name| self.stores(&name).view(name))
            .collect();
        let own = self.stores(&config.peer);
        Backends {
            broker: Arc::new(MemoryBroker::connect(&self.bus)),
            store: own.peer_store,
            credentials: Arc::new(own.http),
            nonces: Arc::new(own.nonces),
            used_tokens: Arc::new(own.used_tokens),
            checks: Vec::new(),
            views,
            control: None,
        }
    }
}

impl MemoryStores {
    fn new() -> Self {
        let (http, message) = (MemoryCredentialStore::new(), MemoryCredentialStore::new());
        let peer_store = Arc::new(MemoryPeerStore::new(http.clone(), message.clone()));
        Self {
            http,
            message,
            nonces: MemoryNonceStore::new(),
            used_tokens: MemoryNonceStore::new(),
            peer_store,
        }
    }

    fn view(self, name: PeerName) -> PeerStoreView {
        let (http, message) = (self.http.clone(), self.message.clone());
        let changes = Arc::new(MemoryChanges { http, message });
        let http: Arc<dyn CredentialStore> = Arc::new(self.http);
        let message: Arc<dyn CredentialStore> = Arc::new(self.message);
        PeerStoreView {
            name,
            credentials: BTreeMap::from([(Track::Http, http), (Track::Message, message)]),
            cursors: self.peer_store,
            changes,
        }
    }
}

/// The changes of a peer's stores in memory.
struct MemoryChanges {
    http: MemoryCredentialStore,
    message: MemoryCredentialStore,
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
