//! What may have to be sent, or applied here, once more.

use crate::event_id::is_later;
use crate::management::desired::DesiredRecord;
use crate::peer_store::{CredentialKey, Stamp};
use crate::queue::PeerName;

/// What a resync sends again.
#[derive(Clone, Debug)]
pub enum ResyncScope {
    /// Everything this target should hold, deletions included.
    Target(PeerName),
    /// This credential, on every target it is booked for.
    Credential(CredentialKey),
}

/// One page of a resync.
#[derive(Clone, Debug)]
pub struct ResyncQuery {
    /// What is sent again.
    pub scope: ResyncScope,
    /// The clock, epoch milliseconds.
    pub now_ms: i64,
    /// At most this many rows.
    pub limit: usize,
    /// Go on after this row of the previous page.
    pub after: Option<(CredentialKey, String)>,
}

/// A row that a resync may send again.
#[derive(Clone, Debug)]
pub struct ResyncRow {
    /// Whose credential.
    pub key: CredentialKey,
    /// The target's name as stored.
    pub target: String,
    /// The change it holds.
    pub generation: u64,
    /// The largest `ts` this peer ever used for the credential.
    pub last_ts: i64,
}

/// A change accepted earlier, and what this peer's own store should hold since.
#[derive(Clone, Debug)]
pub struct LocalChange {
    /// Whose credential.
    pub key: CredentialKey,
    /// Which change.
    pub generation: u64,
    /// When it was accepted.
    pub change_ts: i64,
    /// What this peer should hold; `None` is nothing.
    pub record: Option<DesiredRecord>,
}

/// Which of a target's settled rows are listed.
#[derive(Clone, Debug)]
pub enum SettledScope {
    /// A page of `limit` rows, from after this credential on (`None` = the beginning).
    Page {
        /// The last credential of the page before.
        after: Option<CredentialKey>,
        /// At most this many rows.
        limit: usize,
    },
    /// Those of these credentials.
    Named(Vec<CredentialKey>),
}

/// Asks for the rows of a target that say `success`.
#[derive(Clone, Debug)]
pub struct SettledQuery {
    /// The target.
    pub target: PeerName,
    /// Which of its rows.
    pub scope: SettledScope,
}

/// A row that says `success`, and so what its target should hold.
#[derive(Clone, Debug)]
pub struct SettledRow {
    /// Whose credential.
    pub key: CredentialKey,
    /// Which change the target acknowledged.
    pub generation: u64,
    /// What the target should hold: `Ok(None)` is nothing (revoked); `Err` says in words why that cannot be read.
    pub wanted: Result<Option<DesiredRecord>, String>,
    /// When the change was accepted, epoch milliseconds: no event of it has a smaller `ts`.
    pub change_ts: i64,
    /// The largest `ts` sent to the target, epoch milliseconds.
    pub sent_ts: i64,
    /// The id of the event that was sent with it, where that is known.
    pub event_id: Option<String>,
    /// The largest `ts` this peer ever used for the credential.
    pub last_ts: i64,
}

impl SettledRow {
    /// Tells whether a cursor of the target lies beyond everything this peer sent there: then another source has changed the
    /// credential since.
    pub fn is_superseded_by(&self, cursor: &Stamp) -> bool {
        match &self.event_id {
            Some(event_id) => is_later(cursor, self.sent_ts, event_id),
            None => cursor.ts > self.sent_ts,
        }
    }
}

/// A settled row that is sent again because its target lost what it acknowledged.
#[derive(Clone, Debug)]
pub struct Reopening {
    /// Whose credential.
    pub key: CredentialKey,
    /// The target.
    pub target: PeerName,
    /// The change that was acknowledged. A row of another generation is left.
    pub generation: u64,
    /// Why, for whoever looks at the row.
    pub reason: String,
}
