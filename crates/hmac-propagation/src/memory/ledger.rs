//! The ledger of events in flight (propagation wire 2.5), in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::peer_store::{AckResult, CredentialKey, FinalStatus, InFlight};
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
        let propagation = self.credentials.entry(event.key.clone()).or_default();
        let replaced: Vec<String> = propagation
            .pending
            .iter()
            .filter(|(_, target)| **target == event.target)
            .map(|(id, _)| id.clone())
            .collect();
        for id in replaced {
            propagation.pending.remove(&id);
            self.events.remove(&id);
        }
        propagation.results.remove(&event.target);
        propagation.pending.insert(event.event_id.clone(), event.target.clone());
        self.by_age.insert((event.sent_at, event.event_id.clone()));
        self.events.insert(event.event_id.clone(), Entry { event: event.clone(), completed: false });
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
        if !propagation.pending.is_empty() {
            self.events.remove(&event.event_id);
            return None;
        }
        Some(final_status(propagation.results.values().copied()))
    }

    pub(crate) fn discard(&mut self, event: &InFlight) {
        self.events.remove(&event.event_id);
        if self.credentials.get(&event.key).is_some_and(|propagation| propagation.pending.is_empty()) {
            self.credentials.remove(&event.key);
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
