//! What a Redis key is called (propagation wire 2.3 and 2.5).

use std::sync::Arc;

use hmac_auth::credential::ClientId;
use hmac_propagation::peer_store::{CredentialKey, Track};

/// The names of one peer's bookkeeping. The http track has the original's names; the message track has names of its own,
/// because the original's do not tell the tracks apart.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: Arc<str>,
}

impl Keys {
    /// Puts `prefix` and a colon before every key; nothing for an empty prefix.
    pub fn new(prefix: &str) -> Self {
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}:")
        };
        Self {
            prefix: prefix.into(),
        }
    }

    /// The cursor: hash `{ts, eventId}`, no expiry.
    pub fn cursor(&self, key: &CredentialKey) -> String {
        format!(
            "{}{}:{}",
            self.cursor_prefix(),
            key.track.as_str(),
            key.client_id
        )
    }

    /// What every cursor's key begins with.
    pub fn cursor_prefix(&self) -> String {
        format!("{}propagation:last-seen:", self.prefix)
    }

    /// What every event's key begins with.
    pub fn event_prefix(&self) -> String {
        format!("{}propagation:ack:", self.prefix)
    }

    /// One event in flight: hash `{clientId, targetAmqpQueue, attemptCount, sentAt, track, generation}`.
    pub fn event(&self, event_id: &str) -> String {
        format!("{}propagation:ack:{event_id}", self.prefix)
    }

    /// The events a credential waits for: set of event ids.
    pub fn pending(&self, key: &CredentialKey) -> String {
        self.of_track("client-pending", key.track, &key.client_id)
    }

    /// What a credential's targets answered: hash target -> `success|error`.
    pub fn results(&self, key: &CredentialKey) -> String {
        self.of_track("client-results", key.track, &key.client_id)
    }

    fn of_track(&self, kind: &str, track: Track, client_id: &ClientId) -> String {
        let prefix = &self.prefix;
        match track {
            Track::Http => format!("{prefix}propagation:{kind}:{client_id}"),
            Track::Message => format!("{prefix}propagation:message:{kind}:{client_id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(track: Track) -> CredentialKey {
        CredentialKey {
            track,
            client_id: ClientId::parse("a:b").unwrap(),
        }
    }

    #[test]
    fn keys_are_those_of_the_wire_contract() {
        let keys = Keys::new("");
        assert_eq!(
            keys.cursor(&key(Track::Http)),
            "propagation:last-seen:http:a:b"
        );
        assert_eq!(
            keys.cursor(&key(Track::Message)),
            "propagation:last-seen:message:a:b"
        );
        assert_eq!(keys.event("e"), "propagation:ack:e");
        assert_eq!(
            keys.pending(&key(Track::Http)),
            "propagation:client-pending:a:b"
        );
        assert_eq!(
            keys.results(&key(Track::Http)),
            "propagation:client-results:a:b"
        );
        assert_eq!(
            keys.pending(&key(Track::Message)),
            "propagation:message:client-pending:a:b"
        );
        assert_eq!(
            keys.results(&key(Track::Message)),
            "propagation:message:client-results:a:b"
        );
    }

    #[test]
    fn a_prefix_stands_before_every_key() {
        let keys = Keys::new("peer-1");
        assert_eq!(keys.event("e"), "peer-1:propagation:ack:e");
        assert_eq!(keys.event_prefix(), "peer-1:propagation:ack:");
        assert_eq!(
            keys.cursor(&key(Track::Http)),
            "peer-1:propagation:last-seen:http:a:b"
        );
    }
}
