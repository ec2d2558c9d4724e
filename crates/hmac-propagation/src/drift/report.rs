//! What a check adds up to.

use crate::drift::digest::{Content, Digest};
use crate::peer_store::CredentialKey;
use crate::queue::PeerName;

/// What the last check of one peer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftReport {
    /// Whose store was read; this peer's own included.
    pub peer: PeerName,
    /// When the last whole check ended, epoch milliseconds; the figures are of that check.
    pub checked_at_ms: Option<i64>,
    /// Rows compared.
    pub rows: u64,
    /// Rows whose record differed.
    pub drifted: u64,
    /// Those of them that were sent, or written, again.
    pub healed: u64,
    /// Rows left alone because another source has changed the credential since.
    pub superseded: u64,
    /// Rows of which it cannot be read what the peer should hold.
    pub unreadable: u64,
    /// The first 8 hex digits of the digest of what the peer should hold, over the rows compared.
    /// Equal ones are agreement.
    pub wanted: String,
    /// The same of what it was found to hold.
    pub held: String,
    /// Why the last check could not be done; `None` when it was.
    pub not_checked: Option<String>,
}

/// What one check of one peer adds up to.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) rows: u64,
    pub(super) drifted: u64,
    pub(super) healed: u64,
    pub(super) superseded: u64,
    pub(super) unreadable: u64,
    wanted: Digest,
    held: Digest,
}

impl Tally {
    /// Adds a row that was compared.
    pub(super) fn add(&mut self, key: &CredentialKey, wanted: &Content<'_>, held: &Content<'_>) {
        self.rows += 1;
        self.wanted.add(key, wanted);
        self.held.add(key, held);
    }

    pub(super) fn report(&self, peer: &PeerName, checked_at_ms: Option<i64>) -> DriftReport {
        DriftReport {
            peer: peer.clone(),
            checked_at_ms,
            rows: self.rows,
            drifted: self.drifted,
            healed: self.healed,
            superseded: self.superseded,
            unreadable: self.unreadable,
            wanted: self.wanted.prefix(),
            held: self.held.prefix(),
            not_checked: None,
        }
    }
}
