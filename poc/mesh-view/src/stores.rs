//! What one peer holds, read directly from its own store.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use hmac_auth::credential_store::CredentialStore;
use hmac_propagation::drift::StoreView;
use hmac_propagation::peer_store::{CredentialKey, PeerStore, Track};
use hmac_propagation::queue::PeerName;

/// One peer's store as the view of the mesh and the check for drift read it. Nothing is ever written to it.
#[derive(Clone)]
pub struct PeerStoreView {
    /// Whose store.
    pub name: PeerName,
    /// Its credentials, by track.
    pub credentials: BTreeMap<Track, Arc<dyn CredentialStore>>,
    /// Its cursors: they tell a newer change of another source from drift.
    pub cursors: Arc<dyn PeerStore>,
    /// Where its changes are told.
    pub changes: Arc<dyn ChangeSource>,
}

impl PeerStoreView {
    /// What the check for drift reads of it.
    pub fn for_drift(&self) -> (PeerName, StoreView) {
        let (credentials, cursors) = (self.credentials.clone(), Arc::clone(&self.cursors));
        (
            self.name.clone(),
            StoreView {
                credentials,
                cursors,
            },
        )
    }
}

/// What changed in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreChange {
    /// The credentials of these.
    Credentials(Vec<CredentialKey>),
    /// Perhaps everything: read it again.
    Everything,
}

/// Tells of the changes of one store, to any number of watchers.
pub trait ChangeSource: Send + Sync + 'static {
    /// Begins to watch, on the current tokio runtime; ends when what is returned is dropped.
    fn watch(&self) -> Box<dyn Changes>;
}

/// One watcher. It holds a bounded number of changes, however slowly they are taken.
#[async_trait]
pub trait Changes: Send {
    /// Waits for a change. Cancel-safe: a dropped call loses nothing.
    async fn next(&mut self) -> StoreChange;
}
