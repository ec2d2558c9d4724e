//! Which faults a story has, and how its propagators are tuned: all of it follows from the seed.

use std::time::Duration;

use hmac_propagation::options::Settings;

use crate::dice::Dice;

/// A story's plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A peer's own store fails, hangs, or answers for a part of a batch only.
    pub store: bool,
    /// The same of the database.
    pub management: bool,
    /// The broker loses, refuses, hangs, and cuts connections.
    pub broker: bool,
    /// The broker delivers twice, late and out of order.
    pub disorder: bool,
    /// Queues are deleted with what is in them.
    pub deletions: bool,
    /// Processes die at any step, are shut down, and start late.
    pub crashes: bool,
    /// Clocks are wrong and are set.
    pub clocks: bool,
    /// Strangers send what is malformed, forged, oversized or far ahead; a booked target vanishes.
    pub rubbish: bool,
    /// Stores are flushed, set back and edited by hand, and sources look for drift.
    pub drift: bool,
    /// The database of the first source is away for long, while others send it much.
    pub away: bool,
    /// One call in so many is struck.
    pub rate: u64,
    /// Calls take up to this long, in milliseconds.
    pub latency_ms: u64,
    /// Full-mode peers (1 to 3).
    pub sources: usize,
    /// Whether the first source runs twice.
    pub replica: bool,
    /// Receive-only peers (1 or 2).
    pub targets: usize,
    /// Clients.
    pub clients: usize,
    /// Operations of the story.
    pub operations: usize,
    /// Longest pause between two operations, in milliseconds.
    pub pause_ms: u64,
}

impl Plan {
    /// Draws the plan of a seed. One story in six is calm: without a fault, what is done is counted strictly.
    pub fn draw(seed: u64, dice: &Dice) -> Self {
        let calm = dice.one_in(6);
        let fault = || !calm && dice.one_in(2);
        Self {
            store: fault(),
            management: fault(),
            broker: fault(),
            disorder: fault(),
            deletions: fault(),
            crashes: fault(),
            clocks: fault(),
            rubbish: fault(),
            // From dice of its own, so that the other stories are the same with and without it.
            drift: Dice::new(!seed).one_in(if calm { 8 } else { 3 }),
            away: calm && Dice::new(seed.rotate_left(32)).one_in(2),
            rate: [6, 12, 30][dice.index(3)],
            latency_ms: [0, 3, 20][dice.index(3)],
            sources: [1, 1, 1, 2, 2, 3][dice.index(6)],
            replica: dice.one_in(3),
            targets: if dice.one_in(2) { 2 } else { 1 },
            clients: usize::try_from(dice.between(1, 3)).unwrap_or(1),
            operations: usize::try_from(dice.between(4, 12)).unwrap_or(4),
            pause_ms: [20, 150, 600][dice.index(3)],
        }
    }

    /// Tells whether no call, message, process or clock goes wrong in this story.
    pub fn is_calm(&self) -> bool {
        let faults = [
            self.store,
            self.management,
            self.broker,
            self.disorder,
            self.deletions,
            self.crashes,
            self.clocks,
            self.rubbish,
            self.away,
        ];
        !faults.contains(&true)
    }

    /// Tells whether a claim may be lost, so that only the end of its lease frees its rows.
    pub fn loses_claims(&self) -> bool {
        self.crashes || self.management
    }

    fn drift_interval(&self, dice: &Dice) -> Duration {
        if self.drift {
            Duration::from_millis(dice.between(1_500, 4_000))
        } else {
            Duration::ZERO
        }
    }

    /// The settings of every propagator: the same proportions as the defaults, in less time.
    pub fn settings(&self, dice: &Dice) -> Settings {
        // A row waits at most twice the lease for a clock that was set back, so there it must be short.
        let short = self.loses_claims() || self.clocks;
        let lease = if short {
            Duration::from_millis(1_500)
        } else {
            Duration::from_secs(3_600)
        };
        Settings {
            sync_interval: Duration::from_millis(400),
            sync_on_change: !dice.one_in(4),
            drift_interval: self.drift_interval(dice),
            resend_after: Duration::from_millis(2_500),
            claim_lease: lease,
            page: [1, 2, 3, 500][dice.index(4)],
            prefetch: [2, 8, 512][dice.index(3)],
            batch: [1, 4, 256][dice.index(3)],
            foreign_answer_delay: Duration::from_millis(20),
            max_ahead: Duration::from_secs(24 * 60 * 60),
            min_secret_bytes: 16,
            store_timeout: Duration::from_millis(200),
            management_timeout: Duration::from_millis(300),
            broker_timeout: Duration::from_millis(400),
            retry_min: Duration::from_millis(20),
            retry_max: Duration::from_millis(300),
            shutdown_timeout: Duration::from_millis(600),
        }
    }
}
