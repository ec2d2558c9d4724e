//! Which keys of a Redis were written, as it happens: for whoever shows what somebody else's Redis holds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::link::RedisLink;
use crate::tracking::{Listener, Tracked, Tracker};

/// Keys that may wait to be taken; with more of them it is cheaper to read everything again.
const LIMIT: usize = 4_096;

/// Announcements that come this close together are taken at once: the server makes one for each prefix.
const BURST: Duration = Duration::from_millis(10);

const HEARTBEAT: Duration = Duration::from_millis(500);

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// These keys, in order.
    Keys(BTreeSet<String>),
    /// Nobody knows: the announcements began, ended, or were too many; or the database was flushed. Read everything again.
    Everything,
}

/// Hears of every write under some prefixes of one Redis, on a connection of its own that comes back by itself. Holds a bounded
/// number of keys, whether they are taken or not; tracking ends when this is dropped.
pub struct KeyWatch {
    pending: Arc<Pending>,
    _tracker: Tracker,
}

#[derive(Default)]
struct Pending {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    keys: BTreeSet<String>,
    everything: bool,
}

impl KeyWatch {
    /// Starts to watch on the current tokio runtime. No prefix may be the beginning of another.
    pub fn spawn(link: RedisLink, prefixes: Vec<String>) -> Self {
        let pending = Arc::new(Pending::default());
        let tracked = Tracked {
            link,
            prefixes,
            heartbeat: HEARTBEAT,
            purpose: "watching for changes",
        };
        Self {
            _tracker: Tracker::spawn(tracked, Arc::clone(&pending)),
            pending,
        }
    }

    /// Waits until something was written. Cancel-safe: a dropped call loses nothing.
    pub async fn next(&mut self) -> KeyChange {
        loop {
            if !self.pending.state.lock().is_empty() {
                sleep(BURST).await;
                return self.pending.take();
            }
            self.pending.arrived.notified().await;
        }
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.everything
    }
}

impl Pending {
    fn take(&self) -> KeyChange {
        let state = std::mem::take(&mut *self.state.lock());
        if state.everything {
            KeyChange::Everything
        } else {
            KeyChange::Keys(state.keys)
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        if state.everything || state.keys.len() > LIMIT {
            *state = State {
                keys: BTreeSet::new(),
                everything: true,
            };
        }
        drop(state);
        self.arrived.notify_one();
    }
}

impl Listener for Pending {
    fn set_live(&self, _live: bool) {
        self.change(|state| state.everything = true);
    }

    fn announced(&self, keys: &[&str]) {
        self.change(|state| match keys {
            [] => state.everything = true,
            keys => state.keys.extend(keys.iter().map(|key| (*key).to_owned())),
        });
    }
}
