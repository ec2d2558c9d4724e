//! One run of a peer: what a crash ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hmac_propagation::queue::PeerName;
use tokio::sync::Notify;

use crate::clock::SkewedClock;
use crate::dice::lock;

/// A process.
#[derive(Debug)]
pub struct Process {
    /// Unique within the story.
    pub id: u64,
    /// The peer it runs.
    pub name: PeerName,
    /// Its name in the history.
    pub label: String,
    /// Its clock, which outlives it.
    pub clock: Arc<SkewedClock>,
    dead: AtomicBool,
    notify: Notify,
    /// The current simulated second, and the calls in it.
    calls: Mutex<(u64, u32)>,
}

impl Process {
    /// Begins.
    pub fn new(id: u64, name: PeerName, machine: usize, clock: Arc<SkewedClock>) -> Self {
        let label = format!("{name}.{machine}#{id}");
        Self {
            id,
            name,
            label,
            clock,
            dead: AtomicBool::new(false),
            notify: Notify::new(),
            calls: Mutex::default(),
        }
    }

    /// Ends at once.
    pub fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.notify.notify_waiters();
    }

    /// Tells whether it has ended.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Waits for the end.
    pub async fn died(&self) {
        // A watch channel would wake its receivers at random.
        let notified = self.notify.notified();
        if !self.is_dead() {
            notified.await;
        }
    }

    /// Counts a call; answers how many there were in this simulated second.
    pub fn count(&self, second: u64) -> u32 {
        let mut calls = lock(&self.calls);
        if calls.0 != second {
            *calls = (second, 0);
        }
        calls.1 += 1;
        calls.1
    }
}
