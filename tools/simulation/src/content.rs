//! What a store holds for a credential, comparable.

use hmac_auth::credential::{Change, Credential};
use hmac_propagation::event_id::{event_id, shared};
use hmac_propagation::management::DesiredRecord;
use hmac_propagation::peer_store::{ApplyOperation, CredentialKey, Stamp, Track};
use hmac_propagation::queue::PeerName;

/// A record without its times. Its debug form does not exist: it holds a hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    pub(crate) hash: String,
    rules: Vec<String>,
    expires_at: Option<i64>,
}

/// What is held; `None` is nothing.
pub type Content = Option<Record>;

/// A credential in words.
pub fn in_words(key: &CredentialKey) -> String {
    match key.track {
        Track::Http => key.client_id.to_string(),
        Track::Message => format!("{} (message)", key.client_id),
    }
}

/// What a database wants a store to hold.
pub fn desired(record: Option<&DesiredRecord>) -> Content {
    record.map(|record| Record {
        hash: record.secret_hash.expose().to_owned(),
        rules: record.allowed_ips.rules().to_vec(),
        expires_at: record.expires_at,
    })
}

/// What a store holds.
pub fn held(credential: Option<&Credential>) -> Content {
    credential.map(|credential| Record {
        hash: credential.secret_hash.expose().to_owned(),
        rules: credential.allowed_ips.rules().to_vec(),
        expires_at: credential.expires_at,
    })
}

/// What an apply makes of what was held before.
pub fn applied(operation: &ApplyOperation, before: Option<&Record>) -> Content {
    let change = match operation {
        ApplyOperation::Delete => return None,
        ApplyOperation::Write(change) => change,
    };
    let hash = change
        .secret_hash
        .as_ref()
        .map(|hash| hash.expose().to_owned());
    let hash = hash.or_else(|| before.map(|record| record.hash.clone()))?;
    Some(Record {
        hash,
        rules: match &change.allowed_ips {
            Change::Set(rules) => rules.rules().to_vec(),
            Change::Keep => before
                .map(|record| record.rules.clone())
                .unwrap_or_default(),
        },
        expires_at: match change.expires_at {
            Change::Set(at) => at,
            Change::Keep => before.and_then(|record| record.expires_at),
        },
    })
}

/// Tells whether a cursor tells of another source's change that is later than all a source has stamped with `ts` or less.
pub fn overtakes(cursor: &Stamp, source: &PeerName, ts: i64) -> bool {
    let own = event_id(source, ts, [0; 16]);
    (cursor.ts, shared(&cursor.event_id)) > (ts, shared(&own))
}
