//! What happened: a hash of every step, the steps in words when asked for, and the first broken promise.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::dice::lock;
use crate::invariants::{Invariant, Violation};

/// Whether the steps are kept in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Only their hash.
    Off,
    /// In words too.
    On,
}

/// The history of one story.
#[derive(Debug)]
pub struct History {
    since: Instant,
    trace: Trace,
    hash: AtomicU64,
    steps: AtomicU64,
    lines: Mutex<Vec<String>>,
    violation: watch::Sender<Option<Violation>>,
}

impl History {
    /// Begins now.
    pub fn new(trace: Trace) -> Self {
        Self {
            since: Instant::now(),
            trace,
            hash: AtomicU64::new(0xcbf2_9ce4_8422_2325),
            steps: AtomicU64::new(0),
            lines: Mutex::default(),
            violation: watch::Sender::new(None),
        }
    }

    /// Simulated milliseconds since the beginning.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes a step of somebody; `words` is asked for only when the steps are kept.
    pub fn note(&self, who: &str, what: &str, words: impl FnOnce() -> String) {
        let now_ms = self.now_ms();
        let bytes = who.bytes().chain(what.bytes()).chain(now_ms.to_le_bytes());
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.hash.store(
            bytes.fold(self.hash.load(Ordering::Relaxed), mix),
            Ordering::Relaxed,
        );
        self.steps.fetch_add(1, Ordering::Relaxed);
        if self.trace == Trace::On {
            lock(&self.lines).push(format!("{now_ms:>6} ms  {who:<10} {what:<22} {}", words()));
        }
    }

    /// Notes a broken promise; the first one counts.
    pub fn violate(&self, invariant: Invariant, detail: impl Into<String>) {
        let violation = Violation {
            invariant,
            detail: detail.into(),
            at_ms: self.now_ms(),
        };
        self.note("oracle", "violation", || violation.to_string());
        self.violation.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(violation);
            is_first
        });
    }

    /// Notes a broken promise unless `holds`.
    pub fn expect(&self, holds: bool, invariant: Invariant, detail: impl FnOnce() -> String) {
        if !holds {
            self.violate(invariant, detail());
        }
    }

    /// The first broken promise.
    pub fn violation(&self) -> Option<Violation> {
        self.violation.borrow().clone()
    }

    /// Waits for a broken promise.
    pub async fn violated(&self) {
        let mut violation = self.violation.subscribe();
        // The sender lives in `self`.
        drop(violation.wait_for(Option::is_some).await);
    }

    /// The hash of all steps so far.
    pub fn hash(&self) -> u64 {
        self.hash.load(Ordering::Relaxed)
    }

    /// How many steps there were.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Takes the steps in words.
    pub fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.lines))
    }
}
