//! What was done to stores past the propagation: which promises it excuses, and what a source must have seen of it before it
//! sends again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use hmac_propagation::peer_store::{Apply, CredentialKey, Stamp};
use hmac_propagation::queue::PeerName;

use crate::content::{Content, overtakes};
use crate::dice::lock;
use crate::oracle::{Held, Oracle, Row, RowName, Slot};

/// The two looks before a row is opened again, and that itself, lie within the timeouts of the calls between them, in milliseconds.
pub const LOOKED_WITHIN_MS: u64 = 2_100;

/// What happened to the stores of a story.
#[derive(Default)]
pub struct Damage {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Slots that were changed by hand, flushed, or set back, and when last.
    slots: BTreeMap<Slot, u64>,
    /// Whether a ledger was lost or set back.
    ledger: bool,
    /// The largest stamp that ever stood in each slot.
    reached: BTreeMap<Slot, Stamp>,
    /// Which peer has taken which event into its store, or found it to be old.
    taken: BTreeSet<(PeerName, String)>,
    /// What each process has seen of each slot: the two last looks at the record, and those at the cursor since the last one.
    /// Whoever asks for a resync in the meantime looks at cursors too, and what they see is not what the check goes by.
    looks: BTreeMap<(u64, Slot), Vec<(u64, Content)>>,
    cursors: BTreeMap<(u64, Slot), Vec<Option<Stamp>>>,
}

impl Damage {
    /// Something was done to a slot.
    pub fn struck(&self, slot: Slot, at_ms: u64) {
        lock(&self.state).slots.insert(slot, at_ms);
    }

    /// A ledger was lost, or set back.
    pub fn ledger_struck(&self) {
        lock(&self.state).ledger = true;
    }

    /// Tells whether anything was done to any store yet.
    pub fn is_any(&self) -> bool {
        let state = lock(&self.state);
        !state.slots.is_empty() || state.ledger
    }

    /// When something was last done to a slot, if ever.
    pub fn struck_at(&self, slot: &Slot) -> Option<u64> {
        lock(&self.state).slots.get(slot).copied()
    }

    /// Every slot that something was done to.
    pub fn slots(&self) -> Vec<Slot> {
        lock(&self.state).slots.keys().cloned().collect()
    }

    /// An event was applied, or found to be old, and left this cursor.
    pub fn applied(&self, peer: &PeerName, apply: &Apply, cursor: Option<&Stamp>, taken: bool) {
        let mut state = lock(&self.state);
        if taken {
            state
                .taken
                .insert((peer.clone(), apply.stamp.event_id.clone()));
        }
        if let Some(cursor) = cursor {
            let reached = state.reached.entry((peer.clone(), apply.key.clone()));
            let reached = reached.or_insert_with(|| cursor.clone());
            if *cursor > *reached {
                *reached = cursor.clone();
            }
        }
    }

    /// Tells whether a slot ever held a change of this moment, or a later one.
    pub fn has_reached(&self, slot: &Slot, ts: i64) -> bool {
        lock(&self.state)
            .reached
            .get(slot)
            .is_some_and(|reached| reached.ts >= ts)
    }

    /// Tells whether a peer took an event into its store, which was damaged since.
    pub fn lost_again(&self, peer: &PeerName, key: &CredentialKey, event_id: &str) -> bool {
        let state = lock(&self.state);
        state.slots.contains_key(&(peer.clone(), key.clone()))
            && state.taken.contains(&(peer.clone(), event_id.to_owned()))
    }

    /// A process read the record of a slot.
    pub fn looked(&self, process: u64, slot: Slot, content: Content, at_ms: u64) {
        let mut state = lock(&self.state);
        state.cursors.remove(&(process, slot.clone()));
        let looks = state.looks.entry((process, slot)).or_default();
        looks.insert(0, (at_ms, content));
        looks.truncate(2);
    }

    /// A process read the cursor of a slot.
    pub fn looked_at_cursor(&self, process: u64, slot: Slot, cursor: Option<Stamp>) {
        let mut state = lock(&self.state);
        let seen = state.cursors.entry((process, slot)).or_default();
        seen.push(cursor);
    }

    /// Tells whether a process has just seen, in two looks, that a slot does not hold what its row says, or has forgotten
    /// that the client was revoked, and a cursor that is not beyond what was sent last.
    pub fn has_cause(&self, process: u64, slot: &Slot, row: &Row, now_ms: u64) -> bool {
        let state = lock(&self.state);
        let of = (process, slot.clone());
        let Some([(_, last), (before_at, _)]) = state.looks.get(&of).map(Vec::as_slice) else {
            return false;
        };
        if now_ms.saturating_sub(*before_at) > LOOKED_WITHIN_MS {
            return false;
        }
        let beyond = |cursor: &Stamp| row.sent_ts().is_some_and(|sent_ts| cursor.ts > sent_ts);
        let is_cause = |cursor: Option<&Stamp>| {
            let differs = *last != row.content
                || row.content.is_none() && is_forgotten(cursor, row.change_ts);
            differs && !cursor.is_some_and(beyond)
        };
        match state.cursors.get(&of) {
            None => is_cause(None),
            Some(seen) => seen.iter().any(|cursor| is_cause(cursor.as_ref())),
        }
    }
}

/// Tells whether a cursor keeps no deletion of this moment any more.
pub fn is_forgotten(cursor: Option<&Stamp>, change_ts: Option<i64>) -> bool {
    cursor.is_none_or(|cursor| change_ts.is_some_and(|change_ts| cursor.ts < change_ts))
}

/// What the model makes of it.
impl Oracle {
    /// Something was done to a store past the propagation, which left this.
    pub fn struck(&self, slot: Slot, held: Held, at_ms: u64) {
        let mut model = lock(&self.model);
        let cursor = held
            .0
            .iter()
            .map(|cursor| (at_ms, cursor.clone()))
            .collect();
        model.cursors.insert(slot.clone(), cursor);
        model.held.insert(slot, held);
    }

    /// A source's ledger was lost, or set back: it knows these events, and no others.
    pub fn ledger_struck(&self, source: &PeerName, kept: &BTreeSet<String>) {
        let mut model = lock(&self.model);
        let own = model
            .events
            .iter_mut()
            .filter(|(_, event)| event.row.0 == *source);
        for (event_id, event) in own {
            let kept = kept.contains(event_id);
            event.brought_back |= kept && !event.live;
            event.live = kept;
        }
    }

    /// Tells whether an event that the ledger had done with came back with an older ledger.
    pub fn was_brought_back(&self, event_id: &str) -> bool {
        lock(&self.model)
            .events
            .get(event_id)
            .is_some_and(|event| event.brought_back)
    }

    /// The events of a source that wait for their answer.
    pub fn live_events(&self, source: &PeerName) -> Vec<String> {
        let model = lock(&self.model);
        let own = model
            .events
            .iter()
            .filter(|(_, event)| event.live && event.row.0 == *source);
        own.map(|(event_id, _)| event_id.clone()).collect()
    }

    /// Every credential that anybody has accepted, or holds.
    pub fn keys(&self) -> BTreeSet<CredentialKey> {
        let model = lock(&self.model);
        model
            .credentials
            .keys()
            .chain(model.held.keys())
            .map(|(_, key)| key.clone())
            .collect()
    }

    /// Tells whether a peer should know a credential, as held or as revoked.
    pub fn is_booked(&self, peer: &PeerName, key: &CredentialKey) -> bool {
        let model = lock(&self.model);
        let own = model.credentials.contains_key(&(peer.clone(), key.clone()));
        own || model
            .rows
            .keys()
            .any(|name| name.1 == *key && name.2 == *peer)
    }

    /// Tells whether a source's own store has known, since this moment of the story or longer, that another source has changed a
    /// credential since.
    pub fn is_overtaken(&self, source: &PeerName, key: &CredentialKey, at_ms: u64) -> bool {
        let model = lock(&self.model);
        let slot = (source.clone(), key.clone());
        let Some(used) = model
            .credentials
            .get(&slot)
            .map(|credential| credential.used)
        else {
            return false;
        };
        // A rebooked row has used a `ts` that its first claim will tell.
        let own = |(name, row): (&RowName, &Row)| {
            name.0 == *source && name.1 == *key && row.change_ts.is_none()
        };
        let rebooked = model.rows.iter().any(own);
        !rebooked
            && model
                .cursors
                .get(&slot)
                .into_iter()
                .flatten()
                .any(|(at, cursor)| *at <= at_ms && overtakes(cursor, source, used))
    }
}
