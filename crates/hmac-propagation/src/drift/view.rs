//! A peer's store, to be read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hmac_auth::credential_store::CredentialStore;

use crate::bounded::Bounded;
use crate::peer_store::{PeerStore, Track};
use crate::queue::PeerName;

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
pub(crate) struct View {
    pub(super) credentials: BTreeMap<Track, Bounded<dyn CredentialStore>>,
    pub(crate) cursors: Bounded<dyn PeerStore>,
}

/// All stores in view.
pub(crate) type Views = Arc<BTreeMap<PeerName, View>>;

/// Puts a timeout on every call.
pub(crate) fn bounded(views: BTreeMap<PeerName, StoreView>, bound: Duration) -> Views {
    let views = views.into_iter();
    Arc::new(
        views
            .map(|(peer, view)| (peer, View::new(view, bound)))
            .collect(),
    )
}

impl View {
    fn new(view: StoreView, bound: Duration) -> Self {
        let credentials = view.credentials.into_iter();
        Self {
            credentials: credentials
                .map(|(track, store)| (track, Bounded::new(store, bound)))
                .collect(),
            cursors: Bounded::new(view.cursors, bound),
        }
    }
}
