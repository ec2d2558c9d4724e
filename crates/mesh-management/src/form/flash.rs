//! Keeps what a form did until the page it goes back to has shown it: for a while, in memory, read once.

use std::collections::VecDeque;
use std::sync::Arc;

use auth_base::clock::Clock;
use auth_base::random::Random;
use mesh_api::outcome::Outcome;
use parking_lot::{Mutex, MutexGuard};

/// At most this many outcomes wait.
pub const MAX_OUTCOMES: usize = 1_000;

/// Together they are no longer than this, in bytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// An outcome waits this long, in milliseconds.
pub const LIFETIME_MS: i64 = 5 * 60 * 1_000;

/// The outcomes that wait, oldest first. The oldest makes room.
pub struct FlashStore {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    bytes: usize,
}

struct Entry {
    id: String,
    kept_at: i64,
    bytes: usize,
    outcome: Outcome,
}

impl FlashStore {
    /// Starts empty.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            clock,
            random,
            waiting: Mutex::default(),
        }
    }

    /// Keeps an outcome and returns its id, which nobody can guess.
    pub fn keep(&self, outcome: Outcome) -> String {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        let id = format!("{:032x}", u128::from_be_bytes(bytes));
        let entry = Entry {
            id: id.clone(),
            kept_at: self.clock.now_ms(),
            bytes: outcome.size(),
            outcome,
        };
        let mut waiting = self.waiting();
        waiting.bytes += entry.bytes;
        waiting.entries.push_back(entry);
        while waiting.entries.len() > MAX_OUTCOMES || waiting.bytes > MAX_BYTES {
            waiting.drop_oldest();
        }
        id
    }

    /// Takes an outcome; `None` when there is none of that id, or no longer.
    pub fn take(&self, id: &str) -> Option<Outcome> {
        let mut waiting = self.waiting();
        let index = waiting.entries.iter().position(|entry| entry.id == id)?;
        let entry = waiting.entries.remove(index)?;
        waiting.bytes -= entry.bytes;
        Some(entry.outcome)
    }

    /// The outcomes that are not too old; a clock that was set back ends the wait too.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        let now = self.clock.now_ms();
        let mut waiting = self.waiting.lock();
        while waiting
            .entries
            .front()
            .is_some_and(|oldest| !(0..LIFETIME_MS).contains(&(now - oldest.kept_at)))
        {
            waiting.drop_oldest();
        }
        waiting
    }
}

impl Waiting {
    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.bytes -= oldest.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use auth_base::clock::ManualClock;
    use auth_base::random::SystemRandom;
    use mesh_api::routes::Operation;
    use serde_json::json;

    use super::*;

    fn store() -> (Arc<ManualClock>, FlashStore) {
        let clock = Arc::new(ManualClock::new(1_000));
        (
            Arc::clone(&clock),
            FlashStore::new(clock, Arc::new(SystemRandom)),
        )
    }

    fn outcome(client: &str) -> Outcome {
        let values = BTreeMap::from([("clientId".to_owned(), vec![client.to_owned()])]);
        Outcome::new(
            Operation::Rotate,
            &Ok(json!({ "clientId": client })),
            values,
        )
    }

    #[test]
    fn an_outcome_is_read_once() {
        let (_, store) = store();
        let (first, second) = (store.keep(outcome("a")), store.keep(outcome("b")));
        assert_eq!(first.len(), 32);
        assert_ne!(first, second);
        assert_eq!(store.take(&first), Some(outcome("a")));
        assert_eq!(store.take(&first), None);
        assert_eq!(store.take(""), None);
        assert_eq!(store.take(&second), Some(outcome("b")));
        assert_eq!(store.waiting().bytes, 0);
    }

    #[test]
    fn an_outcome_waits_five_minutes() {
        let (clock, store) = store();
        let (first, second) = (store.keep(outcome("a")), store.keep(outcome("b")));
        clock.advance(LIFETIME_MS - 1);
        assert!(store.take(&first).is_some());
        clock.advance(1);
        assert!(store.take(&second).is_none());
    }

    #[test]
    fn the_oldest_makes_room() {
        let (_, store) = store();
        let ids: Vec<String> = (0..=MAX_OUTCOMES)
            .map(|_| store.keep(outcome("a")))
            .collect();
        assert!(store.take(&ids[0]).is_none());
        assert!(store.take(&ids[1]).is_some());
        let long = "a".repeat(64 * 1024);
        for _ in 0..200 {
            store.keep(outcome(&long));
        }
        assert!(store.waiting().bytes <= MAX_BYTES);
        assert!(store.waiting().entries.len() < 200);
    }
}
