//! The four seams of the `accounts` crate, filled.

use std::sync::Arc;

use accounts::{AccountStore, AuditStore, FailureStore, RefreshStore};

/// Where everything is kept. Clones share it.
#[derive(Clone)]
pub struct Stores {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) failures: Arc<dyn FailureStore>,
    pub(crate) refresh: Arc<dyn RefreshStore>,
    pub(crate) audit: Arc<dyn AuditStore>,
}

impl Stores {
    /// Keeps all of it in one store, whose clones share what they hold.
    pub fn of<S>(store: S) -> Self
    where
        S: AccountStore + FailureStore + RefreshStore + AuditStore,
    {
        let store = Arc::new(store);
        Self {
            accounts: store.clone(),
            failures: store.clone(),
            refresh: store.clone(),
            audit: store,
        }
    }
}
