//! A peer's store, to be read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hmac_auth::credential_store::CredentialStore;

use crate::bounded::Bounded;
use crate::peer_store::{PeerStore, Track};

/// Stores that are read at the same time.
pub(super) const TOGETHER: usize = 4;

/// One peer's store, to be read.
#[derive(Clone)]
pub struct StoreView {
    /// Its credentials, by track.
    pub credentials: BTreeMap<Track, Arc<dyn CredentialStore>>,
    /// Its cursors.
    pub cursors: Arc<dyn PeerStore>,
}

/// The same, with a timeout on every call.
pub(super) struct View {
    pub(super) credentials: BTreeMap<Track, Bounded<dyn CredentialStore>>,
    pub(super) cursors: Bounded<dyn PeerStore>,
}

impl View {
    pub(super) fn new(view: StoreView, bound: Duration) -> Self {
        let credentials = view.credentials.into_iter();
        Self {
            credentials: credentials
                .map(|(track, store)| (track, Bounded::new(store, bound)))
                .collect(),
            cursors: Bounded::new(view.cursors, bound),
        }
    }
}
