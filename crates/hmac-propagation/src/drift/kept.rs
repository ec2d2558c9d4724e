//! What targets keep although it was cleared.
//!
//! A peer of the original does not clear an expiry when the event says that there is none, and acknowledges it as applied. To
//! send that again brings nothing, however often. Such a target lets in less than it should, so it does no harm to stop.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::lock::lock;
use crate::management::SettledRow;
use crate::peer_store::CredentialKey;
use crate::queue::PeerName;

/// A change is sent again so often to a target that keeps what it cleared.
const TRIES: u32 = 3;

/// The tries since the start, by target and credential: of which change, and how many. One entry for each row that was ever
/// seen to need it.
#[derive(Default)]
pub(super) struct Kept(Mutex<BTreeMap<(PeerName, CredentialKey), (u64, u32)>>);

impl Kept {
    /// Counts a try; tells whether it is worth one.
    pub(super) fn is_worth_a_try(&self, peer: &PeerName, row: &SettledRow) -> bool {
        let slot = (peer.clone(), row.key.clone());
        let mut known = lock(&self.0);
        let (generation, tries) = known.entry(slot).or_insert((row.generation, 0));
        if *generation != row.generation {
            (*generation, *tries) = (row.generation, 0);
        }
        *tries = tries.saturating_add(1).min(TRIES + 2);
        if *tries == TRIES + 1 {
            tracing::warn!(%peer, client_id = %row.key.client_id, track = row.key.track.as_str(), "the target keeps an expiry or rules that were cleared, and does not take the change; not sent again until the next change: revoke the client there and ensure it again");
        }
        *tries <= TRIES
    }
}
