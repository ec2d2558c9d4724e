//! Whose credentials changed in a peer's Redis, as it happens.
//!
//! The records of a track are one hash, so the server's announcement of it names no client. Every apply moves the client's cursor in the
//! same step, and the cursor's key does: so a change that came by propagation is told by name. What was written
//! otherwise (by hand, a restore) moves no cursor, and everything must be read again.

use hmac_auth::credential::ClientId;
use hmac_propagation::peer_store::{CredentialKey, Track};
use redis_link::key_watch::{KeyChange, KeyWatch};
use redis_link::link::RedisLink;

use crate::keys::Keys;
use crate::peer_store::PeerStoreOptions;

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreChange {
    /// The credentials of these.
    Credentials(Vec<CredentialKey>),
    /// Perhaps everything: read it again.
    Everything,
}

/// Watches one peer's Redis, on a connection of its own that comes back by itself; it ends when this is dropped. After the
/// connection began or ended, the change is [`StoreChange::Everything`].
pub struct StoreWatch {
    keys: KeyWatch,
    cursors: String,
}

impl StoreWatch {
    /// Starts to watch on the current tokio runtime.
    pub fn spawn(link: RedisLink, options: &PeerStoreOptions) -> Self {
        let cursors = Keys::new(&options.prefix).cursor_prefix();
        let prefixes = vec![
            options.http.clients(),
            options.message.clients(),
            cursors.clone(),
        ];
        Self {
            keys: KeyWatch::spawn(link, prefixes),
            cursors,
        }
    }

    /// Waits until something changed. Cancel-safe: a dropped call loses nothing.
    pub async fn next(&mut self) -> StoreChange {
        let KeyChange::Keys(keys) = self.keys.next().await else {
            return StoreChange::Everything;
        };
        let named: Vec<_> = keys
            .iter()
            .filter_map(|key| client(key, &self.cursors))
            .collect();
        if named.is_empty() {
            StoreChange::Everything
        } else {
            StoreChange::Credentials(named)
        }
    }
}

/// The credential a cursor's key names.
fn client(key: &str, cursors: &str) -> Option<CredentialKey> {
    let (track, client_id) = key.strip_prefix(cursors)?.split_once(':')?;
    Some(CredentialKey {
        track: Track::parse(track)?,
        client_id: ClientId::parse(client_id).ok()?,
    })
}
