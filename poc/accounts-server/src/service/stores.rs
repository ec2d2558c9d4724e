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
    /// Keeps each in a store of its own. They share a database all the same: a refresh looks at its account.
    pub fn new(
        accounts: Arc<dyn AccountStore>,
        failures: Arc<dyn FailureStore>,
        refresh: Arc<dyn RefreshStore>,
        audit: Arc<dyn AuditStore>,
    ) -> Self {
        Self {
            accounts,
            failures,
            refresh,
            audit,
        }
    }

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
