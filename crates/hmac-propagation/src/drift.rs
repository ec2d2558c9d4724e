//! Reconciliation (anti-entropy): finding what peers lost or had changed behind the mesh's back, and
//! healing it.
//!
//! An acknowledged delivery says `success` for ever; the store behind it may be flushed, restored from
//! an old dump, or edited by hand. So a full-mode peer compares, every [`Settings::drift_interval`],
//! what each peer should hold with what its store does hold, for those whose store it is given a
//! [`StoreView`] of. Stores are read, never written: a target's delivery is made pending again and
//! travels as any other.
//!
//! # What is drift
//! A delivery of this source that says `success`, and a record that differs from it (hash, expiry,
//! rules, presence), under a cursor that is not beyond what this source sent last. A cursor that is
//! beyond tells of a newer change of another source, which is left alone; so is one that this peer's
//! own store has seen.
//!
//! # When stores are compared
//! Soon after the start, then every interval; and within 10 s after the server of a store was started
//! again, or another has taken over the connection, where the store can tell
//! ([`PeerStore::run_id`]): it may have forgotten what it confirmed last.
//!
//! # How drift is healed
//! The delivery is sent again as a *further try of the same change*, one millisecond past the last
//! `ts` sent to that target: newer than what a flushed, restored or edited store has, and older than
//! any later change, so healing overwrites nothing newer. This peer's own store is written again under
//! the stamp its change was accepted with. A target that takes the event and keeps an expiry or rules
//! which that clears, as a peer of the original does, is sent it three times and then no more.
//!
//! # Cost
//! For a page of [`Settings::page`] deliveries: one statement to the management store, one round trip
//! for the records of each track on the page, one for the cursors. Nothing is sent while all agree.
//! One round trip to each store every 10 s asks for its run.
//!
//! [`Settings::drift_interval`]: crate::options::Settings::drift_interval
//! [`Settings::page`]: crate::options::Settings::page
//! [`PeerStore::run_id`]: crate::peer_store::PeerStore::run_id

mod comparison;
mod digest;
mod heal;
mod kept;
mod report;
mod restarts;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_base::error_chain::chain;
use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::context::Context;
use crate::drift::comparison::compare;
use crate::drift::digest::share;
use crate::drift::kept::Kept;
use crate::drift::report::Tally;
use crate::drift::restarts::Restarts;
use crate::drift::view::TOGETHER;
use crate::error::PropagationError;
use crate::event_id::event_id;
use crate::lock::lock;
use crate::management::{SettledQuery, SettledRow, SettledScope};
use crate::peer_store::CredentialKey;
use crate::queue::PeerName;

pub use crate::drift::report::DriftReport;
pub use crate::drift::view::StoreView;
pub(crate) use crate::drift::view::{View, Views, bounded};

/// Pages of one peer in one check at most.
const MAX_PAGES: usize = 100_000;

/// The first check comes within this part of the interval after the start.
const FIRST_WITHIN: u32 = 10;

/// Checks the stores in view.
pub(crate) struct Drift {
    context: Arc<Context>,
    views: Views,
    /// One check at a time in this process; replicas do no harm to each other, for a delivery is
    /// reopened once.
    checking: tokio::sync::Mutex<()>,
    reports: Mutex<BTreeMap<PeerName, DriftReport>>,
    kept: Kept,
}

impl Drift {
    pub(crate) fn new(context: Arc<Context>, views: Views) -> Self {
        Self {
            context,
            views,
            checking: tokio::sync::Mutex::default(),
            reports: Mutex::default(),
            kept: Kept::default(),
        }
    }

    /// What the last checks found.
    pub(crate) fn reports(&self) -> Vec<DriftReport> {
        lock(&self.reports).values().cloned().collect()
    }

    /// Tells whether there is anything to run for.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.views.is_empty() && !self.context.settings.drift_interval.is_zero()
    }

    /// Checks until the propagator closes.
    pub(crate) async fn run(&self) {
        let period = self.context.settings.drift_interval;
        let first = Instant::now() + first_wait(&self.context.name, period);
        let mut timer = interval_at(first, period);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = interval(restarts::asked_every(period));
        asked.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut restarts = Restarts::default();
        loop {
            let round = async {
                tokio::select! {
                    biased;
                    // What failed stands in the reports.
                    _ = timer.tick() => drop(self.check().await),
                    _ = asked.tick() => self.check_restarted(&mut restarts).await,
                }
            };
            tokio::select! {
                biased;
                () = self.context.closing.wait() => return,
                () = round => {}
            }
        }
    }

    /// Checks every peer in view once.
    pub(crate) async fn check(&self) -> Result<Vec<DriftReport>, PropagationError> {
        self.check_those(|_| true).await?;
        Ok(self.reports())
    }

    /// Asks every store for its run once, and compares those that another run answers for, or that
    /// the last check could not read. One that cannot be compared now is compared at a later call.
    async fn check_restarted(&self, restarts: &mut Restarts) {
        let runs = restarts::run_ids(&self.views).await;
        let suspects = restarts.suspects(runs, |peer| self.was_missed(peer));
        if suspects.is_empty() {
            return;
        }
        let checked = self.check_those(|peer| suspects.contains_key(peer)).await;
        if checked.is_ok() {
            for (peer, run_id) in suspects {
                if !self.was_missed(&peer) {
                    restarts.compared(peer, run_id);
                }
            }
        }
    }

    /// Tells whether the last check could not be done.
    fn was_missed(&self, peer: &PeerName) -> bool {
        lock(&self.reports)
            .get(peer)
            .is_some_and(|report| report.not_checked.is_some())
    }

    /// Checks some peers once; their reports say what was found.
    async fn check_those(
        &self,
        is_meant: impl Fn(&PeerName) -> bool,
    ) -> Result<(), PropagationError> {
        self.context.management()?;
        let _one_at_a_time = self.checking.lock().await;
        let meant = self.views.iter().filter(|(peer, _)| is_meant(peer));
        // The own store first: its cursors tell what others have changed.
        let (own, others): (Vec<_>, Vec<_>) =
            meant.partition(|(peer, _)| **peer == self.context.name);
        for some in own.chunks(1).chain(others.chunks(TOGETHER)) {
            join_all(some.iter().map(|(peer, view)| self.check_peer(peer, view))).await;
        }
        Ok(())
    }

    async fn check_peer(&self, peer: &PeerName, view: &View) {
        let checked = self.compare_all(peer, view).await;
        let mut reports = lock(&self.reports);
        let known = reports
            .entry(peer.clone())
            .or_insert_with(|| Tally::default().report(peer, None));
        match checked {
            Ok(tally) => {
                if tally.drifted > 0 {
                    tracing::warn!(%peer, rows = tally.rows, drifted = tally.drifted, healed = tally.healed, "drift found");
                }
                *known = tally.report(peer, Some(self.context.now_ms()));
            }
            Err(error) => {
                let why = chain(&error);
                let is_new = known.not_checked.is_none();
                // That the management store is away is logged by the sync.
                if is_new && matches!(error, PropagationError::Store(_)) {
                    tracing::warn!(%peer, error = why, "a peer's store cannot be read; not checked for drift");
                }
                known.not_checked = Some(why);
            }
        }
    }

    async fn compare_all(&self, peer: &PeerName, view: &View) -> Result<Tally, PropagationError> {
        let mut tally = Tally::default();
        let mut after = None;
        for _ in 0..MAX_PAGES {
            let rows = self.page(peer, after).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.key.clone());
            let mut suspects = Vec::new();
            for comparison in compare(view, rows, &mut tally).await? {
                match comparison.difference() {
                    None => {
                        self.kept.agrees(peer, &comparison.row.key);
                        comparison.count(&mut tally);
                    }
                    Some(_) => suspects.push(comparison),
                }
            }
            if *peer == self.context.name {
                heal::own(&self.context, suspects, &mut tally).await?;
            } else {
                heal::target(&self.context, peer, view, suspects, &self.kept, &mut tally).await?;
            }
        }
        Ok(tally)
    }

    async fn page(
        &self,
        peer: &PeerName,
        after: Option<CredentialKey>,
    ) -> Result<Vec<SettledRow>, PropagationError> {
        let (management, limit) = (self.context.management()?, self.context.settings.page);
        if *peer == self.context.name {
            let mut rows = management.settled_changes(after.as_ref(), limit).await?;
            // As its own store was stamped: a tie with another source ends here as everywhere. Only what such ids share
            // is compared, so nothing is drawn for it.
            for row in &mut rows {
                row.event_id = Some(event_id(peer, row.sent_ts, [0; 16]));
            }
            return Ok(rows);
        }
        let query = SettledQuery {
            target: peer.clone(),
            scope: SettledScope::Page { after, limit },
        };
        Ok(management.settled_rows(&query).await?)
    }
}

/// Peers that start together do not all read at once; one peer starts alike every time.
fn first_wait(name: &PeerName, period: Duration) -> Duration {
    (period / FIRST_WITHIN).mul_f64(share(name.as_str()))
}
