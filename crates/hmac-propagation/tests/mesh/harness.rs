//! One full-mode source and any number of receive-only targets on one in-memory bus.

use std::sync::Arc;
use std::time::Duration;

use auth_base::secret::Secret;
use hmac_auth::credential::{Change, ClientId, CredentialChange};
use hmac_auth::credential_store::{CredentialWrite, WriteCondition};
use hmac_auth::memory::MemoryCredentialStore;
use hmac_auth::secret_hash::hash_client_secret;
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore};
use hmac_propagation::options::{Ensure, Settings};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, PeerStore, Track};
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;

pub(crate) const FIRST: &str = "first-secret-of-client";
pub(crate) const SECOND: &str = "second-secret-of-client";

pub(crate) struct Peer {
    pub(crate) propagator: Propagator,
    pub(crate) credentials: MemoryCredentialStore,
    store: Arc<dyn PeerStore>,
    name: PeerName,
}

impl Peer {
    pub(crate) fn hash(&self, client: &str) -> Option<String> {
        let stored = self
            .credentials
            .find_now(&ClientId::parse(client).unwrap())?;
        Some(stored.credential.secret_hash.expose().to_owned())
    }

    /// Writes a credential behind the propagator's back.
    pub(crate) fn plant(&self, client: &str, secret: &str) {
        let change = CredentialChange {
            secret_hash: Some(hash_client_secret(&Secret::new(secret), None)),
            ..CredentialChange::default()
        };
        let backup_ttl = Duration::from_secs(1);
        let write = CredentialWrite {
            change,
            condition: WriteCondition::Always,
            now_ms: 0,
            backup_ttl,
        };
        self.credentials
            .write_now(&ClientId::parse(client).unwrap(), &write);
    }
}

pub(crate) struct Mesh {
    pub(crate) bus: MemoryBus,
    pub(crate) management: Arc<MemoryManagement>,
    pub(crate) source: Peer,
    pub(crate) targets: Vec<Peer>,
}

impl Mesh {
    pub(crate) async fn start(targets: &[&str]) -> Self {
        Self::start_with(targets, true, Settings::default())
    }

    pub(crate) async fn start_without_sources(targets: &[&str]) -> Self {
        Self::start_with(targets, false, Settings::default())
    }

    pub(crate) fn start_with(targets: &[&str], sources: bool, settings: Settings) -> Self {
        let bus = MemoryBus::new();
        let management = Arc::new(MemoryManagement::new());
        for target in targets {
            management.put_target(name(target), secret_of(target));
        }
        let (credentials, store) = stores();
        let propagator = Propagator::builder(
            name("source"),
            secret_of("source"),
            Arc::new(MemoryBroker::connect(&bus)),
            Arc::clone(&store),
        )
        .management(management.clone())
        .secret_token(Some(Secret::new("pepper")))
        .settings(settings)
        .start();
        let source = Peer {
            propagator,
            credentials,
            store,
            name: name("source"),
        };
        let targets = targets
            .iter()
            .map(|target| receiver(&bus, target, stores(), sources))
            .collect();
        Self {
            bus,
            management,
            source,
            targets,
        }
    }

    /// A connection to the broker that belongs to no peer.
    pub(crate) fn connect(&self) -> MemoryBroker {
        MemoryBroker::connect(&self.bus)
    }

    /// Starts another target.
    pub(crate) async fn join(&mut self, target: &str) {
        self.targets
            .push(receiver(&self.bus, target, stores(), true));
    }

    /// Starts a closed target again, on the store it had.
    pub(crate) async fn restart(&mut self, index: usize) {
        let old = &self.targets[index];
        old.propagator.close().await;
        let stores = (old.credentials.clone(), Arc::clone(&old.store));
        let name = old.name.as_str().to_owned();
        self.targets[index] = receiver(&self.bus, &name, stores, true);
    }

    pub(crate) async fn all_rows(&self, status: DeliveryStatus) {
        let what = format!("every row {status:?}");
        self.until(&what, |mesh| {
            mesh.management
                .deliveries()
                .iter()
                .all(|pivot| pivot.status == status)
        })
        .await;
    }

    /// Waits, in the test's own time, until `condition` holds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        for _ in 0..5_000 {
            if condition(self) {
                return;
            }
            tokio::time::advance(Duration::from_millis(1)).await;
            tokio::task::yield_now().await;
        }
        panic!(
            "{what}: not within 5 s; rows: {:#?}",
            self.management.deliveries()
        );
    }
}

fn stores() -> (MemoryCredentialStore, Arc<dyn PeerStore>) {
    let credentials = MemoryCredentialStore::new();
    let store = MemoryPeerStore::new(credentials.clone(), MemoryCredentialStore::new());
    (credentials, Arc::new(store))
}

fn receiver(
    bus: &MemoryBus,
    target: &str,
    (credentials, store): (MemoryCredentialStore, Arc<dyn PeerStore>),
    sources: bool,
) -> Peer {
    let broker = Arc::new(MemoryBroker::connect(bus));
    let known = sources.then(|| (name("source"), secret_of("source")));
    let propagator =
        Propagator::builder(name(target), secret_of(target), broker, Arc::clone(&store))
            .sources(known)
            .start();
    Peer {
        propagator,
        credentials,
        store,
        name: name(target),
    }
}

pub(crate) fn name(text: &str) -> PeerName {
    PeerName::parse(text).unwrap()
}

pub(crate) fn secret_of(peer: &str) -> Secret {
    Secret::new(format!("propagation-secret-of-{peer}"))
}

pub(crate) fn key(client: &str) -> CredentialKey {
    CredentialKey {
        track: Track::Http,
        client_id: ClientId::parse(client).unwrap(),
    }
}

pub(crate) fn ensure(client: &str, secret: &str, targets: &[&str]) -> Ensure {
    Ensure {
        client_id: client.to_owned(),
        secret: Secret::new(secret),
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
        track: Track::Http,
        allowed_ips: Change::Keep,
        expires_at: Change::Keep,
        origin: Origin::default(),
    }
}
