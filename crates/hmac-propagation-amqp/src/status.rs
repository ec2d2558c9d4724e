//! The state of the connection and the subscriptions, published at every change.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac_propagation::broker::BrokerStatus;
use tokio::sync::watch;

/// Gathers what the owner task and the subscriptions know into one watched [`BrokerStatus`].
pub(crate) struct StatusTracker {
    facts: Mutex<Facts>,
    status: watch::Sender<BrokerStatus>,
}

struct Facts {
    epoch: u64,
    /// Why there is no connection, when there is none.
    down: Option<String>,
    /// Why the broker takes no messages on the connection, when it takes none. It delivers all the same.
    blocked: Option<String>,
    /// Each open subscription, and why it does not consume, when it does not.
    subscriptions: BTreeMap<u64, Option<String>>,
    next_subscription: u64,
}

impl StatusTracker {
    pub(crate) fn new() -> Self {
        let facts = Facts {
            epoch: 0,
            down: Some("connecting".to_owned()),
            blocked: None,
            subscriptions: BTreeMap::new(),
            next_subscription: 0,
        };
        let status = watch::Sender::new(facts.status());
        Self {
            facts: Mutex::new(facts),
            status,
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<BrokerStatus> {
        self.status.subscribe()
    }

    pub(crate) fn connected(&self, epoch: u64) {
        self.update(|facts| (facts.epoch, facts.down, facts.blocked) = (epoch, None, None));
    }

    pub(crate) fn blocked(&self, reason: Option<String>) {
        self.update(|facts| facts.blocked = reason);
    }

    /// Books the loss of the connection, and of every subscription with it.
    pub(crate) fn disconnected(&self, reason: &str) {
        self.update(|facts| {
            facts.down = Some(reason.to_owned());
            for problem in facts.subscriptions.values_mut() {
                *problem = Some(reason.to_owned());
            }
        });
    }

    /// Books a new subscription, which does not consume yet.
    pub(crate) fn subscribed(&self) -> u64 {
        let mut id = 0;
        self.update(|facts| {
            id = facts.next_subscription;
            facts.next_subscription += 1;
            facts
                .subscriptions
                .insert(id, Some("subscribing".to_owned()));
        });
        id
    }

    pub(crate) fn consuming(&self, subscription: u64, problem: Option<String>) {
        self.update(|facts| {
            if let Some(known) = facts.subscriptions.get_mut(&subscription) {
                *known = problem;
            }
        });
    }

    pub(crate) fn unsubscribed(&self, subscription: u64) {
        self.update(|facts| {
            facts.subscriptions.remove(&subscription);
        });
    }

    fn update(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = self.lock();
        change(&mut facts);
        let now = facts.status();
        self.status.send_if_modified(|status| {
            let modified = *status != now;
            *status = now;
            modified
        });
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn status(&self) -> BrokerStatus {
        let problem = self.subscriptions.values().find_map(Option::as_ref);
        BrokerStatus {
            connected: self.down.is_none() && self.blocked.is_none(),
            consuming: self.down.is_none() && problem.is_none(),
            epoch: self.epoch,
            reason: self
                .down
                .as_ref()
                .or(self.blocked.as_ref())
                .or(problem)
                .cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_connection_and_every_subscription() {
        let status = StatusTracker::new();
        let watch = status.watch();
        assert!(!watch.borrow().connected);

        status.connected(1);
        assert_eq!(
            *watch.borrow(),
            BrokerStatus {
                connected: true,
                consuming: true,
                epoch: 1,
                reason: None
            }
        );

        let (a, b) = (status.subscribed(), status.subscribed());
        status.consuming(a, None);
        assert!(!watch.borrow().consuming);
        status.consuming(b, None);
        assert!(watch.borrow().consuming);

        status.consuming(a, Some("queue deleted".to_owned()));
        assert_eq!(watch.borrow().reason.as_deref(), Some("queue deleted"));
        status.unsubscribed(a);
        assert!(watch.borrow().consuming);

        status.blocked(Some("disk alarm".to_owned()));
        assert!(!watch.borrow().connected && watch.borrow().consuming);
        status.blocked(None);

        status.disconnected("cut");
        assert_eq!(
            *watch.borrow(),
            BrokerStatus {
                connected: false,
                consuming: false,
                epoch: 1,
                reason: Some("cut".to_owned())
            }
        );
        status.connected(2);
        assert!(watch.borrow().connected && !watch.borrow().consuming);
    }

    #[test]
    fn is_silent_when_nothing_changed() {
        let status = StatusTracker::new();
        status.connected(1);
        let mut watch = status.watch();
        watch.mark_unchanged();
        status.connected(1);
        assert!(!watch.has_changed().unwrap());
    }
}
