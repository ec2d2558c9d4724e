//! What names a row.

use hmac_auth::credential::ClientId;
use hmac_propagation::peer_store::{CredentialKey, Track};
use mesh_api::track;

/// Names a row: in the order of client ids, whatever the track.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RowKey {
    pub(crate) client_id: ClientId,
    pub(crate) track: Track,
}

impl From<CredentialKey> for RowKey {
    fn from(key: CredentialKey) -> Self {
        Self {
            client_id: key.client_id,
            track: key.track,
        }
    }
}

impl From<RowKey> for CredentialKey {
    fn from(key: RowKey) -> Self {
        Self {
            track: key.track,
            client_id: key.client_id,
        }
    }
}

impl RowKey {
    /// The track, as answers tell it.
    pub(crate) fn shown_track(&self) -> track::Track {
        match self.track {
            Track::Http => track::Track::Http,
            Track::Message => track::Track::Message,
        }
    }
}

/// The track of an answer.
pub(crate) fn track(shown: track::Track) -> Track {
    match shown {
        track::Track::Http => Track::Http,
        track::Track::Message => Track::Message,
    }
}
