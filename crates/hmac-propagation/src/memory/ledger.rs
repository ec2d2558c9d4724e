//! The ledger of events in flight (propagation wire 2.5), in memory.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::peer_store::{AckResult, CredentialKey, FinalStatus, InFlight, KEPT_TRIES};
use crate::queue::PeerName;

/// How long an event is remembered, in milliseconds (7 days).
const EXPIRY_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    events: HashMap<String, Entry>,
    credentials: HashMap<CredentialKey, Propagation>,
    by_age: BTreeSet<(i64, String)>,
}

#[derive(Debug)]
struct Entry {
    event: InFlight,
    completed: bool,
}

/// What is known of one credential's propagation.
#[derive(Debug, Default)]
struct Propagation {
    pending: BTreeMap<String, PeerName>,
    results: BTreeMap<PeerName, AckResult>,
}

impl Ledger {
    pub(crate) fn book(&mut self, event: &InFlight) {
        self.expire(event.sent_at);
        let mut tries = Vec::new();
        for other in self.others(event) {
            match other.generation.cmp(&event.generation) {
                Ordering::Less => self.forget(&other),
                Ordering::Equal => tries.push(other),
                Ordering::Greater => {}
            }
        }
        tries.sort_by_key(|other| other.attempt);
        for other in tries
            .iter()
            .take((tries.len() + 1).saturating_sub(KEPT_TRIES))
        {
            self.forget(other);
        }
        let propagation = self.credentials.entry(event.key.clone()).or_default();
        propagation.results.remove(&event.target);
        propagation
            .pending
            .insert(event.event_id.clone(), event.target.clone());
        self.by_age.insert((event.sent_at, event.event_id.clone()));
        self.events.insert(
            event.event_id.clone(),
            Entry {
                event: event.clone(),
                completed: false,
            },
        );
    }

    pub(crate) fn find(&self, event_id: &str) -> Option<InFlight> {
        self.events.get(event_id).map(|entry| entry.event.clone())
    }

    pub(crate) fn complete(&mut self, event: &InFlight, result: AckResult) -> Option<FinalStatus> {
        let entry = self.events.get_mut(&event.event_id)?;
        let propagation = self.credentials.entry(event.key.clone()).or_default();
        if !entry.completed {
            entry.completed = true;
            propagation.pending.remove(&event.event_id);
            propagation.results.insert(event.target.clone(), result);
        }
        if result == AckResult::Applied {
            for other in self.others(event) {
                if other.generation <= event.generation {
                    self.forget(&other);
                }
            }
        }
        let propagation = self.credentials.get(&event.key)?;
        if !propagation.pending.is_empty() {
            self.events.remove(&event.event_id);
            return None;
        }
        Some(final_status(propagation.results.values().copied()))
    }

    pub(crate) fn discard(&mut self, event: &InFlight) {
        self.forget(event);
        if self
            .credentials
            .get(&event.key)
            .is_some_and(|propagation| propagation.pending.is_empty())
        {
            self.credentials.remove(&event.key);
        }
    }

    /// What else the credential waits for from the target of `event`.
    fn others(&self, event: &InFlight) -> Vec<InFlight> {
        let pending = self
            .credentials
            .get(&event.key)
            .into_iter()
            .flat_map(|propagation| &propagation.pending);
        pending
            .filter(|(id, target)| **target == event.target && **id != event.event_id)
            .filter_map(|(id, _)| self.find(id))
            .collect()
    }

    fn forget(&mut self, event: &InFlight) {
        self.events.remove(&event.event_id);
        if let Some(propagation) = self.credentials.get_mut(&event.key) {
            propagation.pending.remove(&event.event_id);
        }
    }

    fn expire(&mut self, now_ms: i64) {
        while let Some((sent_at, id)) = self.by_age.first().cloned()
            && sent_at < now_ms - EXPIRY_MS
        {
            self.by_age.pop_first();
            if let Some(entry) = self.events.remove(&id)
                && let Some(propagation) = self.credentials.get_mut(&entry.event.key)
            {
                propagation.pending.remove(&id);
            }
        }
    }
}

/// The result over all targets.
fn final_status(results: impl Iterator<Item = AckResult>) -> FinalStatus {
    let (mut applied, mut refused) = (false, false);
    for result in results {
        match result {
            AckResult::Applied => applied = true,
            AckResult::Error => refused = true,
        }
    }
    match (applied, refused) {
        (_, false) => FinalStatus::Success,
        (true, true) => FinalStatus::Partial,
        (false, true) => FinalStatus::Error,
    }
}
