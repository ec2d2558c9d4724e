//! Finding what peers lost or had changed behind the mesh's back, and healing it.
//!
//! An acknowledged row says `success` for ever; the store behind it may be flushed, restored from an old dump, or edited by
//! hand. So a full-mode peer compares, every [`Settings::drift_interval`], what each peer should hold with what its store
//! does hold, for those whose store it is given a [`StoreView`] of. Stores are read, never written: a target's row is made
//! pending again and travels as any other.
//!
//! # What is drift
//! A row of this source that says `success`, and a record that differs from it (hash, expiry, rules, presence), under a cursor
//! that is not beyond what this source sent last. A cursor that is beyond tells of a newer change of another source, which is
//! left alone; so is one that this peer's own store has seen.
//!
//! # When it is looked for
//! Soon after the start, then every interval; and within 10 s after the server of a store was started again, or another
//! has taken over the connection, where the store can tell ([`PeerStore::run_id`]): it may have forgotten what it confirmed last.
//!
//! # How it is healed
//! The row is sent again as a *further try of the same change*, one millisecond past the last `ts` sent to that target: newer
//! than what a flushed, restored or edited store has, and older than any later change, so healing overwrites nothing newer.
//! This peer's own store is written again under the stamp its change was accepted with.
//!
//! # Cost
//! For a page of [`Settings::page`] rows: one statement to the management store, one round trip for the records of each track
//! on the page, one for the cursors. Nothing is sent while all agree. One round trip to each store every 10 s asks for its run.
//!
//! [`Settings::drift_interval`]: crate::options::Settings::drift_interval
//! [`Settings::page`]: crate::options::Settings::page
//! [`PeerStore::run_id`]: crate::peer_store::PeerStore::run_id

mod digest;
mod heal;
mod look;
mod restarts;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_base::error_chain::chain;
use futures_util::future::join_all;
use hmac_auth::credential_store::CredentialStore;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::drift::digest::{Content, Digest, share};
use crate::drift::look::{Looked, look};
use crate::drift::restarts::Restarts;
use crate::error::PropagationError;
use crate::management::{SettledQuery, SettledRow, SettledScope};
use crate::peer_store::{CredentialKey, PeerStore, Track};
use crate::queue::PeerName;
use crate::shared::{Core, lock};

/// Peers that are looked at together.
const TOGETHER: usize = 4;

/// Pages of one peer in one check at most.
const MAX_PAGES: usize = 100_000;

/// The first check comes within this part of the interval after the start.
const FIRST_WITHIN: u32 = 10;

/// One peer's store, to be read.
#[derive(Clone)]
pub struct StoreView {
    /// Its credentials, by track.
    pub credentials: BTreeMap<Track, Arc<dyn CredentialStore>>,
    /// Its cursors.
    pub cursors: Arc<dyn PeerStore>,
}

/// What the last check of one peer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftReport {
    /// Whose store was looked at; this peer's own included.
    pub peer: PeerName,
    /// When the last whole check ended, epoch milliseconds; the figures are of that check.
    pub checked_at_ms: Option<i64>,
    /// Rows compared.
    pub rows: u64,
    /// Rows whose record differed.
    pub drifted: u64,
    /// Those of them that were sent, or written, again.
    pub healed: u64,
    /// Rows left alone because another source has changed the credential since.
    pub superseded: u64,
    /// Rows of which it cannot be read what the peer should hold.
    pub unreadable: u64,
    /// The first 8 hex digits of the digest of what the peer should hold, over the rows compared. Equal ones are agreement.
    pub wanted: String,
    /// The same of what it was found to hold.
    pub held: String,
    /// Why the last check could not be done; `None` when it was.
    pub not_checked: Option<String>,
}

/// What checks leave behind.
#[derive(Default)]
pub(crate) struct DriftState {
    /// One check at a time in this process; replicas do no harm to each other, for a row is reopened once.
    checking: tokio::sync::Mutex<()>,
    reports: Mutex<BTreeMap<PeerName, DriftReport>>,
}

impl DriftState {
    pub(crate) fn reports(&self) -> Vec<DriftReport> {
        lock(&self.reports).values().cloned().collect()
    }

    /// Tells whether the last check could not be done.
    fn was_missed(&self, peer: &PeerName) -> bool {
        lock(&self.reports)
            .get(peer)
            .is_some_and(|report| report.not_checked.is_some())
    }
}

/// Tells whether there is anything to run for.
pub(crate) fn is_looked_for(core: &Core) -> bool {
    !core.parts.views.is_empty() && !core.parts.settings.drift_interval.is_zero()
}

/// Checks until the propagator closes.
pub(crate) async fn run(core: Arc<Core>) {
    let period = core.parts.settings.drift_interval;
    let mut timer = interval_at(
        Instant::now() + first_wait(&core.parts.name, period),
        period,
    );
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked = interval(restarts::asked_every(period));
    asked.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut restarts = Restarts::default();
    loop {
        let round = async {
            tokio::select! {
                biased;
                // What failed stands in the reports.
                _ = timer.tick() => drop(check(&core).await),
                _ = asked.tick() => restarts.check(&core).await,
            }
        };
        tokio::select! {
            biased;
            () = core.closing.wait() => return,
            () = round => {}
        }
    }
}

/// Looks at every peer in view once.
pub(crate) async fn check(core: &Core) -> Result<Vec<DriftReport>, PropagationError> {
    check_those(core, |_| true).await?;
    Ok(core.drift.reports())
}

/// Looks at some peers once; their reports tell what was found.
async fn check_those(
    core: &Core,
    is_meant: impl Fn(&PeerName) -> bool,
) -> Result<(), PropagationError> {
    core.management()?;
    let _one_at_a_time = core.drift.checking.lock().await;
    let meant = core.parts.views.iter().filter(|(peer, _)| is_meant(peer));
    // The own store first: its cursors tell what others have changed.
    let (own, others): (Vec<_>, Vec<_>) = meant.partition(|(peer, _)| **peer == core.parts.name);
    for some in own.chunks(1).chain(others.chunks(TOGETHER)) {
        join_all(some.iter().map(|(peer, view)| check_peer(core, peer, view))).await;
    }
    Ok(())
}

/// Peers that start together do not all read at once; one peer starts alike every time.
fn first_wait(name: &PeerName, period: Duration) -> Duration {
    (period / FIRST_WITHIN).mul_f64(share(name.as_str()))
}

async fn check_peer(core: &Core, peer: &PeerName, view: &StoreView) {
    let checked = compare_all(core, peer, view).await;
    let mut reports = lock(&core.drift.reports);
    let known = reports
        .entry(peer.clone())
        .or_insert_with(|| Tally::default().report(peer, None));
    match checked {
        Ok(tally) => {
            if tally.drifted > 0 {
                tracing::warn!(%peer, rows = tally.rows, drifted = tally.drifted, healed = tally.healed, "drift found");
            }
            *known = tally.report(peer, Some(core.now_ms()));
        }
        Err(error) => {
            let why = chain(&error);
            let is_new = known.not_checked.is_none();
            // That the management store is away is told by the sync.
            if is_new && matches!(error, PropagationError::Store(_)) {
                tracing::warn!(%peer, error = why, "a peer's store cannot be read; not checked for drift");
            }
            known.not_checked = Some(why);
        }
    }
}

/// What one check of one peer adds up to.
#[derive(Default)]
struct Tally {
    rows: u64,
    drifted: u64,
    healed: u64,
    superseded: u64,
    unreadable: u64,
    wanted: Digest,
    held: Digest,
}

impl Tally {
    fn report(&self, peer: &PeerName, checked_at_ms: Option<i64>) -> DriftReport {
        DriftReport {
            peer: peer.clone(),
            checked_at_ms,
            rows: self.rows,
            drifted: self.drifted,
            healed: self.healed,
            superseded: self.superseded,
            unreadable: self.unreadable,
            wanted: self.wanted.prefix(),
            held: self.held.prefix(),
            not_checked: None,
        }
    }

    /// Adds a row to what was compared.
    fn compared(&mut self, looked: &Looked) {
        self.rows += 1;
        self.wanted
            .add(&looked.row.key, &Content::of(looked.wanted.as_ref()));
        self.held.add(&looked.row.key, &looked.held_content());
    }
}

async fn compare_all(
    core: &Core,
    peer: &PeerName,
    view: &StoreView,
) -> Result<Tally, PropagationError> {
    let mut tally = Tally::default();
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let rows = page(core, peer, after).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.key.clone());
        let mut suspects = Vec::new();
        for looked in look(core, view, rows, &mut tally).await? {
            match looked.difference() {
                None => tally.compared(&looked),
                Some(_) => suspects.push(looked),
            }
        }
        if *peer == core.parts.name {
            heal::own(core, suspects, &mut tally).await?;
        } else {
            heal::target(core, peer, view, suspects, &mut tally).await?;
        }
    }
    Ok(tally)
}

async fn page(
    core: &Core,
    peer: &PeerName,
    after: Option<CredentialKey>,
) -> Result<Vec<SettledRow>, PropagationError> {
    let (management, limit) = (core.management()?, core.parts.settings.page);
    if *peer == core.parts.name {
        return Ok(core
            .managed(management.settled_changes(after.as_ref(), limit))
            .await?);
    }
    let query = SettledQuery {
        target: peer.clone(),
        scope: SettledScope::Page { after, limit },
    };
    Ok(core.managed(management.settled_rows(&query)).await?)
}
