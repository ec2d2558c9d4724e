//! What names a row.

use hmac_auth::credential::ClientId;
use hmac_propagation::peer_store::{CredentialKey, Track};

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
