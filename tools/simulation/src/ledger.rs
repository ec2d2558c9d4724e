//! What the ledger of a source should know of the events in flight.

use hmac_propagation::peer_store::{AckResult, CredentialKey, FinalStatus, InFlight, KEPT_TRIES};
use hmac_propagation::queue::PeerName;

use crate::dice::lock;
use crate::oracle::{Event, Model, Oracle};

impl Oracle {
    /// An event was booked; answers which others of its row the ledger forgets for it.
    pub fn booked(&self, source: &PeerName, event: &InFlight) -> Vec<String> {
        let name = (source.clone(), event.key.clone(), event.target.clone());
        let mut model = lock(&self.model);
        let (mut forgotten, mut tries) = (Vec::new(), Vec::new());
        for (id, known) in model
            .events
            .iter_mut()
            .filter(|(_, known)| known.row == name)
        {
            if *id == event.event_id {
                (known.live, known.booked) = (true, true);
                (known.generation, known.attempt) = (event.generation, event.attempt);
            } else if known.live && known.generation < event.generation {
                forgotten.push(id.clone());
            } else if known.live && known.generation == event.generation {
                tries.push((known.attempt, id.clone()));
            }
        }
        tries.sort();
        let too_many = (tries.len() + 1).saturating_sub(KEPT_TRIES);
        forgotten.extend(tries.into_iter().take(too_many).map(|(_, id)| id));
        for id in &forgotten {
            if let Some(known) = model.events.get_mut(id) {
                known.live = false;
            }
        }
        forgotten
    }

    /// Tells whether an event waits for its answer.
    pub fn is_live(&self, event_id: &str) -> bool {
        lock(&self.model)
            .events
            .get(event_id)
            .is_some_and(|event| event.live)
    }

    /// A known event was completed; answers which others of its row mean nothing more, and whether its credential still
    /// waits for any.
    pub fn completed(
        &self,
        source: &PeerName,
        (event, result): &(InFlight, AckResult),
        process: u64,
        status: Option<FinalStatus>,
    ) -> (Vec<String>, bool) {
        let mut model = lock(&self.model);
        let name = (source.clone(), event.key.clone(), event.target.clone());
        let mut meaningless = Vec::new();
        for (id, known) in model
            .events
            .iter_mut()
            .filter(|(_, known)| known.row == name && known.live)
        {
            let itself = *id == event.event_id;
            if itself || *result == AckResult::Applied && known.generation <= event.generation {
                known.live = false;
                meaningless.extend((!itself).then(|| id.clone()));
            }
        }
        if status.is_some() {
            // Of two bookings at once in one process, the mark of the first will do.
            let booking = (process, event.event_id.clone());
            model.marked.entry(booking).or_insert(false);
        }
        let waits =
            |other: &Event| other.live && other.row.0 == *source && other.row.1 == event.key;
        (meaningless, model.events.values().any(waits))
    }

    /// An event was discarded: a ledger set back meanwhile to when it was in flight knows it no more.
    pub fn discarded(&self, event_id: &str) {
        let mut model = lock(&self.model);
        model.marked.retain(|(_, id), _| id != event_id);
        if let Some(known) = model.events.get_mut(event_id) {
            known.live = false;
        }
    }

    /// A process marked a credential as fully propagated.
    pub fn propagated(&self, process: u64, key: &CredentialKey) {
        let mut model = lock(&self.model);
        let Model { marked, events, .. } = &mut *model;
        for ((by, id), marked) in marked {
            let is_of = |event: &Event| event.row.1 == *key;
            *marked |= *by == process && events.get(id).is_some_and(is_of);
        }
    }

    /// Tells whether a process completed an event without having marked its credential.
    pub fn awaits_mark(&self, process: u64, event_id: &str) -> bool {
        let booking = (process, event_id.to_owned());
        lock(&self.model).marked.get(&booking) == Some(&false)
    }
}
