//! Everything in this process: an in-process broker, stores in memory, and SQLite files in a folder. For demos, tests and
//! whoever has one machine; the same code as over [`crate::real`] but for the adapters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use auth_base::nonce_store::MemoryNonceStore;
use auth_base::secret::Secret;
use hmac_auth::credential_store::CredentialStore;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_propagation::broker::Broker;
use hmac_propagation::memory::broker::{MemoryBroker, MemoryBus};
use hmac_propagation::memory::peer_store::MemoryPeerStore;
use hmac_propagation::peer_store::Track;
use hmac_propagation::queue::PeerName;
use hmac_propagation::{Propagator, PropagatorBuilder};
use hmac_propagation_sqlx::SqlManagement;
use kit::config::{Config, Role};
use kit::health::{BrokerCheck, Check};
use kit::late::Late;
use kit::mesh::MeshParts;
use kit::mesh::stores::PeerStoreView;
use kit::parts::{ManagementParts, Parts};
use kit::shutdown::Stop;

use crate::error::WiringError;
use crate::signed_get::HttpSignedGet;
use crate::sql::{self, LateAdministration, SqlCheck};
use crate::views::MemoryChanges;

/// The backends of several peers in one process. Clones share them; what a peer holds outlives its stop.
#[derive(Clone)]
pub struct Embedded {
    bus: MemoryBus,
    folder: PathBuf,
    stores: Arc<Mutex<BTreeMap<PeerName, MemoryStores>>>,
}

/// What one peer holds in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryStores {
    /// Credentials of the http track.
    pub http: MemoryCredentialStore,
    /// Credentials of the message track.
    pub message: MemoryCredentialStore,
    nonces: MemoryNonceStore,
    peer_store: Arc<MemoryPeerStore>,
}

impl MemoryStores {
    fn new() -> Self {
        let (http, message) = (MemoryCredentialStore::new(), MemoryCredentialStore::new());
        let peer_store = Arc::new(MemoryPeerStore::new(http.clone(), message.clone()));
        Self {
            http,
            message,
            nonces: MemoryNonceStore::new(),
            peer_store,
        }
    }

    fn view(self, name: PeerName) -> PeerStoreView {
        let (http, message) = (self.http.clone(), self.message.clone());
        let changes = Arc::new(MemoryChanges { http, message });
        let http: Arc<dyn CredentialStore> = Arc::new(self.http);
        let message: Arc<dyn CredentialStore> = Arc::new(self.message);
        PeerStoreView {
            name,
            credentials: BTreeMap::from([(Track::Http, http), (Track::Message, message)]),
            cursors: self.peer_store,
            changes,
        }
    }
}

impl Embedded {
    /// Empty backends. Each full-mode peer has a file of its own in `folder`, which must exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            bus: MemoryBus::new(),
            folder: folder.into(),
            stores: Arc::default(),
        }
    }

    /// The queues of all peers.
    pub fn bus(&self) -> &MemoryBus {
        &self.bus
    }

    /// What the peer holds; empty until it receives something.
    pub fn stores(&self, peer: &PeerName) -> MemoryStores {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores
            .entry(peer.clone())
            .or_insert_with(MemoryStores::new)
            .clone()
    }

    /// Wires a full-mode peer, and starts it. Its `AMQP_URL`, `REDIS_URL` and `DATABASE_URL` count for nothing.
    ///
    /// # Errors
    /// [`WiringError`].
    pub fn full(&self, config: &Config, stop: &Stop) -> Result<Parts, WiringError> {
        let mut config = config.clone();
        let Role::Full(full) = &mut config.role else {
            return Err(WiringError::NotFullMode);
        };
        full.database_url = Secret::new(sqlite_url(&self.folder, &config.peer));
        let unsigned_ack_targets = full.unsigned_ack_targets.clone();
        let signed_get = Arc::new(HttpSignedGet::new().map_err(WiringError::HttpClient)?);
        let management: Late<SqlManagement> = Late::new();
        tokio::spawn(sql::connect(
            management.clone(),
            config.clone(),
            stop.clone(),
        ));
        let (stores, views) = (self.stores(&config.peer), self.views(&config));
        let propagator = self
            .propagator(&config, &stores)
            .management(Arc::new(management.clone()))
            .unsigned_ack_targets(unsigned_ack_targets)
            .views(views.iter().map(PeerStoreView::for_drift))
            .start();
        let http: Arc<dyn CredentialStore> = Arc::new(stores.http.clone());
        let message: Arc<dyn CredentialStore> = Arc::new(stores.message.clone());
        let mut parts = parts(stores, propagator);
        parts.checks.push(Box::new(SqlCheck::new(
            management.clone(),
            config.peer.clone(),
        )));
        parts.management = Some(ManagementParts {
            credentials: BTreeMap::from([(Track::Http, http), (Track::Message, message)]),
            administration: Arc::new(LateAdministration(management)),
            mesh: Some(MeshParts {
                stores: views,
                probe: signed_get.clone(),
                control: None,
            }),
            signed_get,
        });
        Ok(parts)
    }

    /// Wires a receive-only peer, and starts it. Its `AMQP_URL` and `REDIS_URL` count for nothing.
    ///
    /// # Errors
    /// [`WiringError`].
    pub fn receive_only(&self, config: &Config, _stop: &Stop) -> Result<Parts, WiringError> {
        let Role::ReceiveOnly { sources } = &config.role else {
            return Err(WiringError::NotReceiveOnly);
        };
        let stores = self.stores(&config.peer);
        let propagator = self
            .propagator(config, &stores)
            .sources(sources.clone())
            .start();
        Ok(parts(stores, propagator))
    }

    /// The store of this peer and those of the peers it has URLs of, as the view of the mesh reads them.
    fn views(&self, config: &Config) -> Vec<PeerStoreView> {
        let mut names = BTreeSet::from([config.peer.clone()]);
        if let Role::Full(full) = &config.role {
            names.extend(full.peer_urls.iter().map(|(name, _)| name.clone()));
        }
        names
            .into_iter()
            .map(|name| self.stores(&name).view(name))
            .collect()
    }

    /// Begins the propagator over the bus and the peer's stores.
    fn propagator(&self, config: &Config, stores: &MemoryStores) -> PropagatorBuilder {
        let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::connect(&self.bus));
        let store = Arc::clone(&stores.peer_store);
        Propagator::builder(
            config.peer.clone(),
            config.propagation_secret.clone(),
            broker,
            store,
        )
        .secret_token(config.secret_token.clone())
        .settings(config.settings())
    }
}

/// What every peer has, whatever its mode.
fn parts(stores: MemoryStores, propagator: Propagator) -> Parts {
    let checks: Vec<Box<dyn Check>> = vec![Box::new(BrokerCheck(propagator.clone()))];
    Parts {
        propagator,
        verified_credentials: Arc::new(stores.http),
        nonces: Arc::new(stores.nonces),
        checks,
        management: None,
    }
}

fn sqlite_url(folder: &Path, peer: &PeerName) -> String {
    let path = folder.join(format!("{peer}.sqlite"));
    let path = path
        .to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23");
    format!("sqlite://{path}")
}
