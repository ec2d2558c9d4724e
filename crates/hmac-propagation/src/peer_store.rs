//! The seam to a peer's own store: the atomic apply, the cursor, and the ledger of events in flight.
//!
//! # Implementing
//! Each item of a batch is decided by itself and as one atomic step; one item's failure leaves the others alone. Prove an
//! implementation with `hmac_testkit::peer_store`; [`crate::memory::MemoryPeerStore`] is the complete model.

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use hmac_auth::credential::{ClientId, CredentialChange};

use crate::queue::PeerName;

/// Which set of credentials: those of HTTP requests or those of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Track {
    /// `http`
    Http,
    /// `message`
    Message,
}

impl Track {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Message => "message",
        }
    }

    /// Reads the name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "http" => Some(Self::Http),
            "message" => Some(Self::Message),
            _ => None,
        }
    }
}

/// Names one credential of the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialKey {
    /// The track.
    pub track: Track,
    /// The client.
    pub client_id: ClientId,
}

/// When a change happened: the cursor's value (propagation wire 2.3, step 5). Ordered by `ts`, then by the bytes of
/// `event_id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Epoch milliseconds.
    pub ts: i64,
    /// The event's id.
    pub event_id: String,
}

/// What an apply does to a credential.
#[derive(Clone, Debug)]
pub enum ApplyOperation {
    /// Creates or updates ([`CredentialChange::merge`]).
    Write(CredentialChange),
    /// Removes record and backup.
    Delete,
}

/// One change to apply.
#[derive(Clone, Debug)]
pub struct Apply {
    /// Whose credential.
    pub key: CredentialKey,
    /// When the change happened.
    pub stamp: Stamp,
    /// What it does.
    pub operation: ApplyOperation,
    /// The time of writing, epoch milliseconds (`updated_at` of the record).
    pub now_ms: i64,
}

/// How an apply ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Written, and the cursor moved, as one step.
    Written,
    /// The cursor is already at or past this stamp; nothing was written.
    Stale {
        /// Where the cursor is.
        cursor: Stamp,
    },
}

/// So many tries of one change at one target are known to the ledger at a time; the answer to any of them counts.
pub const KEPT_TRIES: usize = 16;

/// An event that was sent and waits for its acknowledgement (propagation wire 2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// The event's id.
    pub event_id: String,
    /// Whose credential.
    pub key: CredentialKey,
    /// To whom it was sent; only this peer's ack counts.
    pub target: PeerName,
    /// Which change of the credential it carries; an ack books success for no other.
    pub generation: u64,
    /// How many times this change was sent to this target, this time included.
    pub attempt: u32,
    /// When it was sent, epoch milliseconds.
    pub sent_at: i64,
}

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckResult {
    /// The target has it (or something newer).
    Applied,
    /// The target refused it.
    Error,
}

/// The result over all targets of a credential (propagation wire 2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalStatus {
    /// Every target applied.
    Success,
    /// Some did.
    Partial,
    /// None did.
    Error,
}

/// A peer's own store.
///
/// # Contract
/// - Results come in the order of the arguments, one for each.
/// - `apply` compares the cursor, writes the credential and moves the cursor as one atomic step, in the order of the
///   batch for items of one credential. A corrupt record does not stop an apply: a change that carries a hash replaces it.
///   The cursor has no expiry and outlives a delete. A change whose hash equals the stored one keeps the backup as it is.
/// - `book` records an event and forgets every event of an older generation for the same credential and target (its ack
///   no longer keeps the credential pending). One of a newer generation, which another replica was faster with, stays. So do
///   earlier tries of the same generation, [`KEPT_TRIES`] in all: a busy target may answer each of them later than the next
///   one is sent. Records expire after 7 days.
/// - `complete` removes the event from what is pending for its credential and records the target's result; `Applied` also
///   forgets the target's other events of this generation and older ones, which mean nothing more. When nothing
///   is pending any more it answers the final status and keeps the event's record, marked completed, until `discard`:
///   so a crash between the two is repaired by the redelivered ack (`find` still answers, `complete` answers the same).
#[async_trait]
pub trait PeerStore: Send + Sync + 'static {
    /// The tracks this peer holds credentials of; events of another are answered with an error.
    fn tracks(&self) -> &[Track];

    /// Applies a batch.
    async fn apply(&self, batch: &[Apply]) -> Vec<Result<Applied, StoreError>>;

    /// Reads cursors.
    async fn cursors(&self, keys: &[CredentialKey]) -> Result<Vec<Option<Stamp>>, StoreError>;

    /// Books events before they are published.
    async fn book(&self, events: &[InFlight]) -> Result<(), StoreError>;

    /// Looks up booked events by id.
    async fn find(&self, event_ids: &[String]) -> Result<Vec<Option<InFlight>>, StoreError>;

    /// Completes events; each answer is the final status where nothing is pending any more for its credential.
    async fn complete(
        &self,
        events: &[(InFlight, AckResult)],
    ) -> Result<Vec<Option<FinalStatus>>, StoreError>;

    /// Forgets the given events, and the results of their credentials where nothing is pending.
    async fn discard(&self, events: &[InFlight]) -> Result<(), StoreError>;

    /// Names the run of the server that answers: another name after it was started again, or where another has taken
    /// over. `None` where that cannot be told, or means nothing.
    async fn run_id(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line of the golden vectors. One deviation, by the wire contract: ties are broken by the bytes of the event id, where the
    /// original compares UTF-16 units; the two differ beyond the basic plane only, and event ids are UUIDs.
    #[test]
    fn a_cursor_moves_as_in_the_original() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/cursor.json")).unwrap();
        let stamp = |value: &serde_json::Value| {
            value.as_object().map(|value| Stamp {
                ts: value["ts"].as_i64().unwrap(),
                event_id: value["eventId"].as_str().unwrap().to_owned(),
            })
        };
        for case in vectors["cases"].as_array().unwrap() {
            let (current, incoming) = (stamp(&case["current"]), stamp(&case["incoming"]).unwrap());
            let deviates = current
                .as_ref()
                .is_some_and(|stamp| stamp.event_id.chars().any(|c| c > '\u{ffff}'));
            let newer = current.is_none_or(|current| incoming > current);
            assert_eq!(
                newer,
                case["newer"].as_bool().unwrap() != deviates,
                "{case}"
            );
        }
    }
}
