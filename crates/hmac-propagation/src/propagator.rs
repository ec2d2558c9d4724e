//! The propagator: accepts changes, sends them, applies what others send, and books acknowledgements.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use auth_base::clock::{Clock, SystemClock};
use auth_base::error_chain::chain;
use auth_base::random::{Random, SystemRandom};
use auth_base::secret::Secret;
use hmac_auth::credential::ClientId;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::broker::{Broker, BrokerStatus, QueueDepth};
use crate::changes;
use crate::counters::Counters;
use crate::drift::{self, DriftReport, StoreView};
use crate::error::PropagationError;
use crate::inbound;
use crate::management::Management;
use crate::options::{Ensure, Ensured, Resync, Revoke, Rotate, Settings, SyncSummary};
use crate::outbound;
use crate::peer_store::PeerStore;
use crate::progress::ProgressEvent;
use crate::queue::PeerName;
use crate::sent_marks;
use crate::shared::{Core, lock};
use crate::sync_loop;

/// What a peer can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Accepts changes of its own and receives those of others.
    Full,
    /// Receives only.
    ReceiveOnly,
}

/// How a propagator is doing.
#[derive(Clone, Debug)]
pub struct Status {
    /// What it can do.
    pub mode: Mode,
    /// The connection to the broker.
    pub broker: BrokerStatus,
    /// When the last sync ended well, epoch milliseconds.
    pub last_sync_at_ms: Option<i64>,
    /// Why the last attempt at syncing, applying or booking failed; `None` once it works again.
    pub last_error: Option<String>,
}

/// Collects what a propagator is made of.
pub struct PropagatorBuilder {
    pub(crate) name: PeerName,
    pub(crate) own_secret: Secret,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) store: Arc<dyn PeerStore>,
    pub(crate) management: Option<Arc<dyn Management>>,
    pub(crate) sources: HashMap<PeerName, Secret>,
    pub(crate) unsigned_ack_targets: HashSet<PeerName>,
    pub(crate) views: BTreeMap<PeerName, StoreView>,
    pub(crate) secret_token: Option<Secret>,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl PropagatorBuilder {
    /// Makes the peer a full one: it accepts changes and keeps them here.
    pub fn management(mut self, management: Arc<dyn Management>) -> Self {
        self.management = Some(management);
        self
    }

    /// Secrets of the peers whose events this one acknowledges, for a receive-only peer (propagation wire 2.6).
    pub fn sources(mut self, sources: impl IntoIterator<Item = (PeerName, Secret)>) -> Self {
        self.sources.extend(sources);
        self
    }

    /// Targets whose unsigned acks count: receive-only peers of the original (propagation wire 2.6).
    pub fn unsigned_ack_targets(mut self, targets: impl IntoIterator<Item = PeerName>) -> Self {
        self.unsigned_ack_targets.extend(targets);
        self
    }

    /// Stores that are compared with what they should hold: those of targets, and this peer's own under its own name. A peer
    /// that is not among them is not looked at. See [`crate::drift`].
    pub fn views(mut self, views: impl IntoIterator<Item = (PeerName, StoreView)>) -> Self {
        self.views.extend(views);
        self
    }

    /// The peer's pepper, for hashing plain secrets.
    pub fn secret_token(mut self, token: Option<Secret>) -> Self {
        self.secret_token = token;
        self
    }

    /// Tunes it.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes event ids from `random`.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Starts consuming and syncing on the current tokio runtime. Succeeds while the broker or a store is away.
    pub fn start(self) -> Propagator {
        let core = Arc::new(Core::new(self));
        let mut tasks = vec![tokio::spawn(receive(Arc::clone(&core)))];
        if core.parts.management.is_some() {
            tasks.push(tokio::spawn(sync_loop::run(Arc::clone(&core))));
            tasks.push(tokio::spawn(sent_marks::run(Arc::clone(&core))));
            if drift::is_looked_for(&core) {
                tasks.push(tokio::spawn(drift::run(Arc::clone(&core))));
            }
        }
        Propagator {
            running: Arc::new(Running {
                core,
                tasks: Mutex::new(tasks),
            }),
        }
    }
}

/// A running propagator. Cheap to clone; [`Propagator::close`] ends it for all clones, and so does dropping the last one
/// (then without waiting for what is in hand).
#[derive(Clone)]
pub struct Propagator {
    running: Arc<Running>,
}

struct Running {
    core: Arc<Core>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Propagator {
    /// Begins a propagator for the peer `name`, whose own propagation secret is `own_secret`.
    pub fn builder(
        name: PeerName,
        own_secret: Secret,
        broker: Arc<dyn Broker>,
        store: Arc<dyn PeerStore>,
    ) -> PropagatorBuilder {
        PropagatorBuilder {
            name,
            own_secret,
            broker,
            store,
            management: None,
            sources: HashMap::new(),
            unsigned_ack_targets: HashSet::new(),
            views: BTreeMap::new(),
            secret_token: None,
            settings: Settings::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }

    /// Gives a client a secret: at once on this peer, and on the targets as soon as they take it.
    ///
    /// # Errors
    /// [`PropagationError::InvalidOptions`] names the field; nothing was done. [`PropagationError::NotYetApplied`]: accepted, and
    /// repaired when this peer's own store is back. Any other: not accepted.
    pub async fn ensure(&self, ensure: Ensure) -> Result<Ensured, PropagationError> {
        self.ensure_batch(vec![ensure])
            .await
            .pop()
            .unwrap_or(Err(PropagationError::Closed))
    }

    /// Ensures many clients in a few round trips; each answer stands for itself, in order.
    pub async fn ensure_batch(&self, batch: Vec<Ensure>) -> Vec<Result<Ensured, PropagationError>> {
        changes::ensure(&self.running.core, batch).await
    }

    /// Gives a known client a new secret: at once on this peer, and on every target booked for it.
    ///
    /// # Errors
    /// [`PropagationError::UnknownClient`], or as for [`Self::ensure`].
    pub async fn rotate(&self, rotate: Rotate) -> Result<ClientId, PropagationError> {
        changes::rotate(&self.running.core, rotate).await
    }

    /// Takes a credential away: at once on this peer, and on the named targets. A client nobody knows may be revoked.
    ///
    /// # Errors
    /// As for [`Self::ensure`].
    pub async fn revoke(&self, revoke: Revoke) -> Result<ClientId, PropagationError> {
        changes::revoke(&self.running.core, revoke).await
    }

    /// Sends what waits, page after page. Two at once, here or in replicas, do not send a row twice.
    ///
    /// # Errors
    /// When a store or the broker is away, or when an earlier sync is still at work after [`Settings::store_timeout`]; what was not
    /// sent waits for the next sync.
    pub async fn sync(&self) -> Result<SyncSummary, PropagationError> {
        outbound::sync(&self.running.core).await
    }

    /// Sends the current state again, newer than everything before: to bootstrap a target, or to heal one. Rows that another
    /// source has changed since are left alone.
    ///
    /// # Errors
    /// As for [`Self::sync`].
    pub async fn resync(&self, resync: Resync) -> Result<SyncSummary, PropagationError> {
        outbound::resync(&self.running.core, resync).await
    }

    /// Compares now what each peer holds, whose store is in view, with what it should hold, and heals what differs. One check
    /// at a time: a second caller waits for the first. A store that cannot be read is named in its report and is no error.
    ///
    /// # Errors
    /// For a receive-only peer, and after close.
    pub async fn check_drift(&self) -> Result<Vec<DriftReport>, PropagationError> {
        drift::check(&self.running.core).await
    }

    /// What the last check for drift found, by peer; empty before the first.
    pub fn drift(&self) -> Vec<DriftReport> {
        self.running.core.drift.reports()
    }

    /// Watches how far changes come from here on: see [`crate::progress`]. A watcher holds nobody up.
    pub fn subscribe(&self) -> broadcast::Receiver<ProgressEvent> {
        self.running.core.progress.subscribe()
    }

    /// Asks the broker how many messages wait in a peer's queue, and how many consumers it has; `None` where the queue does not
    /// exist or the broker does not tell.
    ///
    /// # Errors
    /// When the broker is away or does not answer in time.
    pub async fn queue_depth(
        &self,
        peer: &PeerName,
    ) -> Result<Option<QueueDepth>, PropagationError> {
        let parts = &self.running.core.parts;
        match timeout(
            parts.settings.broker_timeout,
            parts.broker.queue_depth(peer),
        )
        .await
        {
            Ok(depth) => depth.map_err(PropagationError::Broker),
            Err(_) => Err(PropagationError::Timeout("the broker")),
        }
    }

    /// Tells how it is doing.
    pub fn status(&self) -> Status {
        let core = &self.running.core;
        let health = core.health();
        let mut errors: Vec<_> = health
            .errors
            .iter()
            .map(|(part, error)| format!("{part}: {error}"))
            .collect();
        errors.sort();
        Status {
            mode: if core.parts.management.is_some() {
                Mode::Full
            } else {
                Mode::ReceiveOnly
            },
            broker: core.parts.broker.status().borrow().clone(),
            last_sync_at_ms: health.last_sync_at_ms,
            last_error: (!errors.is_empty()).then(|| errors.join("; ")),
        }
    }

    /// Tells what it counted since the start.
    pub fn counters(&self) -> Counters {
        self.running.core.counters.snapshot()
    }

    /// Stops taking, finishes or gives back what is in hand, settles, and closes the broker connection. Returns within
    /// [`Settings::shutdown_timeout`] and the broker's own bound; what is cut off is delivered or sent again.
    pub async fn close(&self) {
        let core = &self.running.core;
        core.closing.begin();
        let tasks = std::mem::take(&mut *lock(&self.running.tasks));
        let deadline = tokio::time::Instant::now() + core.parts.settings.shutdown_timeout;
        for mut task in tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                tracing::warn!(peer = %core.parts.name, "not done in time; cut off");
                task.abort();
            }
        }
        if timeout(
            core.parts.settings.broker_timeout,
            core.parts.broker.close(),
        )
        .await
        .is_err()
        {
            tracing::warn!(peer = %core.parts.name, "the broker connection did not close in time");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.core.closing.begin();
        for task in lock(&self.tasks).drain(..) {
            task.abort();
        }
    }
}

/// Subscribes, as often as it takes, and consumes.
async fn receive(core: Arc<Core>) {
    let mut failures = 0;
    while !core.is_closing() {
        match core
            .parts
            .broker
            .subscribe(&core.parts.name, core.parts.settings.prefetch)
            .await
        {
            Ok(subscription) => return inbound::consume(&core, subscription).await,
            Err(error) => {
                tracing::warn!(peer = %core.parts.name, error = chain(&error), "cannot subscribe; trying again");
                let _ = timeout(core.backoff(failures), core.closing.wait()).await;
                failures = failures.saturating_add(1);
            }
        }
    }
}
