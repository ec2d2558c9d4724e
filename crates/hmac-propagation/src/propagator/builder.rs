//! What a propagator is made of.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use auth_base::clock::{Clock, SystemClock};
use auth_base::random::{Random, SystemRandom};
use auth_base::secret::Secret;

use crate::broker::Broker;
use crate::context::{Context, Seams};
use crate::drift::StoreView;
use crate::inbound::Trust;
use crate::management::Management;
use crate::options::Settings;
use crate::peer_store::PeerStore;
use crate::propagator::Propagator;
use crate::queue::PeerName;

/// Collects what a propagator is made of.
pub struct PropagatorBuilder {
    name: PeerName,
    seams: Seams,
    trust: Trust,
    views: BTreeMap<PeerName, StoreView>,
    secret_token: Option<Secret>,
    settings: Settings,
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
            seams: Seams {
                broker,
                store,
                management: None,
                clock: Arc::new(SystemClock),
                random: Arc::new(SystemRandom),
            },
            trust: Trust {
                own_secret,
                sources: HashMap::new(),
                unsigned_ack_targets: HashSet::new(),
            },
            views: BTreeMap::new(),
            secret_token: None,
            settings: Settings::default(),
        }
    }
}

impl PropagatorBuilder {
    /// Makes the peer a full one: it accepts changes and keeps them here.
    pub fn management(mut self, management: Arc<dyn Management>) -> Self {
        self.seams.management = Some(management);
        self
    }

    /// Secrets of the peers whose events this one acknowledges, for a receive-only peer (propagation
    /// wire 2.6).
    pub fn sources(mut self, sources: impl IntoIterator<Item = (PeerName, Secret)>) -> Self {
        self.trust.sources.extend(sources);
        self
    }

    /// Targets whose unsigned acks count: receive-only peers of the original (propagation wire 2.6).
    pub fn unsigned_ack_targets(mut self, targets: impl IntoIterator<Item = PeerName>) -> Self {
        self.trust.unsigned_ack_targets.extend(targets);
        self
    }

    /// Stores that are compared with what they should hold: those of targets, and this peer's own
    /// under its own name. A peer that is not among them is not compared. See [`crate::drift`].
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
        self.seams.clock = clock;
        self
    }

    /// Takes event ids from `random`.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.seams.random = random;
        self
    }

    /// Starts consuming and syncing on the current tokio runtime. Succeeds while the broker or a store
    /// is away.
    pub fn start(self) -> Propagator {
        let context = Arc::new(Context::new(self.name, self.settings, self.seams));
        Propagator::start(context, self.trust, self.secret_token, self.views)
    }
}
