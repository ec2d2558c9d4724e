//! The propagator: accepts changes, sends them, applies what others send, and books acknowledgements.
//!
//! It is five pipelines over one `Context`: changes, outbound, acknowledgements, inbound and drift,
//! each a module of its own that owns its state. They are put together here and nowhere else.

pub mod builder;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use auth_base::secret::Secret;
use hmac_auth::credential::ClientId;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::acknowledgements::Acknowledgements;
use crate::bounded::NoAnswer;
use crate::broker::{BrokerError, BrokerStatus, QueueDepth};
use crate::changes::Changes;
use crate::context::Context;
use crate::counters::Counters;
use crate::dispatch::Dispatch;
use crate::drift::{Drift, DriftReport, StoreView, bounded};
use crate::error::PropagationError;
use crate::inbound::{Inbound, Trust};
use crate::lock::lock;
use crate::options::{Ensure, Ensured, Resync, Revoke, Rotate, SyncSummary};
use crate::origin::Origin;
use crate::outbound::Outbound;
use crate::own_store::OwnStore;
use crate::progress::ProgressEvent;
use crate::publisher::Publisher;
use crate::queue::PeerName;
use crate::resync::Resyncs;
use crate::sent_marks::SentMarks;

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

/// A running propagator. Cheap to clone; [`Propagator::close`] ends it for all clones, and so does dropping the last one
/// (then without waiting for what is in hand).
#[derive(Clone)]
pub struct Propagator {
    running: Arc<Running>,
}

struct Running {
    context: Arc<Context>,
    changes: Changes,
    outbound: Arc<Outbound>,
    drift: Arc<Drift>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Propagator {
    /// Puts the pipelines together and starts their tasks.
    fn start(
        context: Arc<Context>,
        trust: Trust,
        secret_token: Option<Secret>,
        views: BTreeMap<PeerName, StoreView>,
    ) -> Self {
        let shared = || Arc::clone(&context);
        let own_store = Arc::new(OwnStore::new(shared()));
        let publisher = Arc::new(Publisher::new(Arc::clone(&context.broker)));
        let sent_marks = Arc::new(SentMarks::default());

        let changes = Changes {
            context: shared(),
            own_store: Arc::clone(&own_store),
            secret_token,
        };
        let dispatch = Arc::new(Dispatch {
            context: shared(),
            publisher: Arc::clone(&publisher),
            sent_marks: Arc::clone(&sent_marks),
        });
        let views = bounded(views, context.settings.store_timeout);
        let resyncs = Resyncs {
            context: shared(),
            views: Arc::clone(&views),
        };
        let outbound = Outbound::new(shared(), own_store, Arc::clone(&dispatch), resyncs);
        let outbound = Arc::new(outbound);
        let acknowledgements = Acknowledgements {
            context: shared(),
            sent_marks,
        };
        let inbound = Inbound::new(shared(), publisher, acknowledgements, trust);
        let drift = Arc::new(Drift::new(shared(), views));

        let mut tasks = vec![tokio::spawn(async move { inbound.run().await })];
        if context.management.is_some() {
            let (syncing, checking) = (Arc::clone(&outbound), Arc::clone(&drift));
            tasks.push(tokio::spawn(async move { syncing.run().await }));
            tasks.push(tokio::spawn(async move { dispatch.write_marks().await }));
            if drift.is_wanted() {
                tasks.push(tokio::spawn(async move { checking.run().await }));
            }
        }
        let running = Running {
            context,
            changes,
            outbound,
            drift,
            tasks: Mutex::new(tasks),
        };
        Self {
            running: Arc::new(running),
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
        self.running.changes.ensure(batch).await
    }

    /// Gives a known client a new secret: at once on this peer, and on every target booked for it.
    ///
    /// # Errors
    /// [`PropagationError::UnknownClient`], or as for [`Self::ensure`].
    pub async fn rotate(&self, rotate: Rotate) -> Result<ClientId, PropagationError> {
        self.running.changes.rotate(rotate).await
    }

    /// Takes a credential away: at once on this peer, and on the named targets. A client nobody knows may be revoked.
    ///
    /// # Errors
    /// As for [`Self::ensure`].
    pub async fn revoke(&self, revoke: Revoke) -> Result<ClientId, PropagationError> {
        self.running.changes.revoke(revoke).await
    }

    /// Sends what waits, page after page. Two at once, here or in replicas, do not send a row twice.
    /// `origin` is who asks: what is sent again by it says so in the audit.
    ///
    /// # Errors
    /// When a store or the broker is away, or when an earlier sync is still at work after [`Settings::store_timeout`](crate::options::Settings::store_timeout); what was not
    /// sent waits for the next sync.
    pub async fn sync(&self, origin: &Origin) -> Result<SyncSummary, PropagationError> {
        self.running.outbound.sync(origin).await
    }

    /// Sends the current state again, newer than everything this peer sent before: to bootstrap a target, or to heal one. Rows that another
    /// source has changed since are left alone, as this peer's own store and the target's tell.
    ///
    /// # Errors
    /// [`PropagationError::InvalidOptions`] for `newer`, when a target's store is not in view or cannot be read now, and
    /// overwriting was not asked for: what was found before that is sent. Else as for [`Self::sync`].
    pub async fn resync(&self, resync: Resync) -> Result<SyncSummary, PropagationError> {
        self.running.outbound.resync(resync).await
    }

    /// Compares now what each peer holds, whose store is in view, with what it should hold, and heals what differs. One check
    /// at a time: a second caller waits for the first. A store that cannot be read is named in its report and is no error.
    ///
    /// # Errors
    /// For a receive-only peer, and after close.
    pub async fn check_drift(&self) -> Result<Vec<DriftReport>, PropagationError> {
        self.running.drift.check().await
    }

    /// What the last check for drift found, by peer; empty before the first.
    pub fn drift(&self) -> Vec<DriftReport> {
        self.running.drift.reports()
    }

    /// Watches how far changes come from here on: see [`crate::progress`]. A watcher holds nobody up.
    pub fn subscribe(&self) -> broadcast::Receiver<ProgressEvent> {
        self.running.context.progress.subscribe()
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
        let late = |error: &BrokerError| NoAnswer::is_behind(error);
        match self.running.context.broker.queue_depth(peer).await {
            Err(error) if late(&error) => Err(PropagationError::Timeout("the broker")),
            depth => Ok(depth?),
        }
    }

    /// Tells how it is doing.
    pub fn status(&self) -> Status {
        let context = &self.running.context;
        Status {
            mode: if context.management.is_some() {
                Mode::Full
            } else {
                Mode::ReceiveOnly
            },
            broker: context.broker.status().borrow().clone(),
            last_sync_at_ms: context.health.last_sync_at_ms(),
            last_error: context.health.last_error(),
        }
    }

    /// Tells what it counted since the start.
    pub fn counters(&self) -> Counters {
        self.running.context.counters.snapshot()
    }

    /// Stops taking, finishes or gives back what is in hand, settles, and closes the broker connection. Returns within
    /// [`Settings::shutdown_timeout`](crate::options::Settings::shutdown_timeout) and the broker's own bound; what is cut off is delivered or sent again.
    pub async fn close(&self) {
        let context = &self.running.context;
        context.closing.begin();
        let tasks = std::mem::take(&mut *lock(&self.running.tasks));
        let deadline = Instant::now() + context.settings.shutdown_timeout;
        for mut task in tasks {
            if timeout_at(deadline, &mut task).await.is_err() {
                tracing::warn!(peer = %context.name, "not done in time; cut off");
                task.abort();
            }
        }
        context.broker.close().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.context.closing.begin();
        for task in lock(&self.tasks).drain(..) {
            task.abort();
        }
    }
}
