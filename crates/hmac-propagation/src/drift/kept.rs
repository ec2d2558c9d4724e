//! What targets keep although it was cleared.
//!
//! A peer of the original does not clear an expiry when the event says that there is none, and acknowledges it as applied. To
//! send that again brings nothing, however often. Such a target lets in less than it should, so it does no harm to stop.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::lock::lock;
use crate::management::{Reopening, SettledRow};
use crate::peer_store::CredentialKey;
use crate::queue::PeerName;

/// A change is sent again so often to a target that keeps what it cleared.
const TRIES: u32 = 3;

/// The tries by target and credential: of which change, and how many. An entry goes when its target agrees again.
#[derive(Default)]
pub(super) struct Kept(Mutex<BTreeMap<(PeerName, CredentialKey), (u64, u32)>>);

impl Kept {
    /// Tells whether another try is worth it.
    pub(super) fn is_worth_a_try(&self, peer: &PeerName, row: &SettledRow) -> bool {
        let tries = lock(&self.0).get(&(peer.clone(), row.key.clone())).copied();
        tries.is_none_or(|(generation, tries)| generation != row.generation || tries < TRIES)
    }

    /// Counts a try that was made.
    pub(super) fn tried(&self, row: &Reopening) {
        let mut known = lock(&self.0);
        let slot = (row.target.clone(), row.key.clone());
        let (generation, tries) = known.entry(slot).or_insert((row.generation, 0));
        if *generation != row.generation {
            (*generation, *tries) = (row.generation, 0);
        }
        *tries += 1;
        if *tries == TRIES {
            tracing::warn!(peer = %row.target, client_id = %row.key.client_id, track = row.key.track.as_str(), "the target keeps an expiry or rules that were cleared; if it still does after this try, it is not told again until the next change: revoke the client there and ensure it again");
        }
    }

    /// A target holds what it should.
    pub(super) fn agrees(&self, peer: &PeerName, key: &CredentialKey) {
        let mut known = lock(&self.0);
        if !known.is_empty() {
            known.remove(&(peer.clone(), key.clone()));
        }
    }
}
