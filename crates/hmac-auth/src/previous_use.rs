//! Who still signs with a replaced secret, so that an operator knows when to end the overlap (wire contract 1.5).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::credential::ClientId;

/// How many clients are remembered at most; the one not seen for longest makes room.
const MAX_CLIENTS: usize = 10_000;

/// What is known of a client's use of its previous secret since this process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousSecretUse {
    /// How many signatures were accepted.
    pub count: u64,
    /// When the last one was, epoch milliseconds.
    pub last_seen_ms: i64,
}

/// A counter per client; clones share it.
#[derive(Clone, Debug, Default)]
pub struct PreviousSecretUses(Arc<Mutex<HashMap<ClientId, PreviousSecretUse>>>);

impl PreviousSecretUses {
    /// What is known of one client; `None` when it never used a previous secret.
    pub fn of(&self, client_id: &ClientId) -> Option<PreviousSecretUse> {
        self.0.lock().get(client_id).copied()
    }

    /// What is known of all clients, in no promised order.
    pub fn all(&self) -> Vec<(ClientId, PreviousSecretUse)> {
        self.0
            .lock()
            .iter()
            .map(|(id, seen)| (id.clone(), *seen))
            .collect()
    }

    /// Counts a signature that `client_id` made with its previous secret.
    pub fn record(&self, client_id: &ClientId, now_ms: i64) {
        let mut uses = self.0.lock();
        if uses.len() >= MAX_CLIENTS && !uses.contains_key(client_id) {
            let oldest = uses.iter().min_by_key(|(_, seen)| seen.last_seen_ms);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                uses.remove(&oldest);
            }
        }
        let seen = uses.entry(client_id.clone()).or_insert(PreviousSecretUse {
            count: 0,
            last_seen_ms: now_ms,
        });
        seen.count = seen.count.saturating_add(1);
        seen.last_seen_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let uses = PreviousSecretUses::default();
        let client = |number: usize| ClientId::parse(&format!("c{number}")).unwrap();
        for number in 0..=MAX_CLIENTS {
            uses.record(&client(number), i64::try_from(number).unwrap());
        }
        assert_eq!(uses.all().len(), MAX_CLIENTS);
        assert_eq!(uses.of(&client(0)), None);
        uses.record(&client(1), 7);
        let seen = PreviousSecretUse {
            count: 2,
            last_seen_ms: 7,
        };
        assert_eq!(uses.of(&client(1)), Some(seen));
    }
}
