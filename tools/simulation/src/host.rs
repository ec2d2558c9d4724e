//! What outlives a process: a peer's store, its credentials, and its database if it has one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_base::clock::Clock;
use auth_base::secret::Secret;
use futures_util::FutureExt;
use hmac_auth::credential::{Change, Credential, CredentialChange};
use hmac_auth::credential_store::{CredentialWrite, WriteCondition};
use hmac_auth::memory::MemoryCredentialStore;
use hmac_propagation::memory::{MemoryManagement, MemoryPeerStore};
use hmac_propagation::peer_store::{
    Apply, ApplyOperation, CredentialKey, InFlight, PeerStore, Stamp, Track,
};
use hmac_propagation::queue::PeerName;

use crate::content::{Content, held};
use crate::dice::lock;
use crate::strike::Strike;

/// A peer's durable side; its processes come and go.
pub struct Host {
    /// The peer.
    pub name: PeerName,
    /// Its database, for a full-mode peer.
    pub management: Option<MemoryManagement>,
    clock: Arc<dyn Clock>,
    stores: Mutex<Arc<Stores>>,
    database: Mutex<Option<Strike>>,
}

/// A peer's own store, and the credentials in it.
pub struct Stores {
    /// Counts the starts of the server that holds all this.
    pub run: u64,
    /// What the propagation writes to.
    pub peer: MemoryPeerStore,
    http: MemoryCredentialStore,
    message: MemoryCredentialStore,
}

/// What a peer's store held at some moment: for each credential its cursor and its record, and the events in flight.
#[derive(Default)]
pub struct Dump {
    /// Credentials.
    pub credentials: Vec<(CredentialKey, Option<Stamp>, Option<Credential>)>,
    /// Events that waited for their answer.
    pub in_flight: Vec<InFlight>,
}

impl Stores {
    fn empty(run: u64, clock: &Arc<dyn Clock>) -> Self {
        let credentials = || MemoryCredentialStore::with_clock(Arc::clone(clock));
        let (http, message) = (credentials(), credentials());
        Self {
            run,
            peer: MemoryPeerStore::new(http.clone(), message.clone()),
            http,
            message,
        }
    }

    /// The credentials of a track.
    pub fn credentials(&self, track: Track) -> &MemoryCredentialStore {
        match track {
            Track::Http => &self.http,
            Track::Message => &self.message,
        }
    }

    /// Writes a record past the propagation.
    pub fn plant(&self, key: &CredentialKey, record: &Credential) {
        let change = CredentialChange {
            secret_hash: Some(record.secret_hash.clone()),
            expires_at: Change::Set(record.expires_at),
            allowed_ips: Change::Set(record.allowed_ips.clone()),
        };
        let write = CredentialWrite {
            change,
            condition: WriteCondition::Always,
            now_ms: record.updated_at,
            backup_ttl: Duration::from_secs(600),
        };
        self.credentials(key.track)
            .write_now(&key.client_id, &write);
    }
}

impl Host {
    /// Makes an empty peer.
    pub fn new(name: PeerName, full: bool, clock: &Arc<dyn Clock>) -> Self {
        let stores = Mutex::new(Arc::new(Stores::empty(1, clock)));
        Self {
            name,
            management: full.then(|| MemoryManagement::with_clock(Arc::clone(clock))),
            clock: Arc::clone(clock),
            stores,
            database: Mutex::default(),
        }
    }

    /// What happens to every call to its database, while that is away.
    pub fn database(&self) -> Option<Strike> {
        *lock(&self.database)
    }

    /// Lets its database be away, or come back.
    pub fn set_database(&self, away: Option<Strike>) {
        *lock(&self.database) = away;
    }

    /// The clock of its stores.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Its own store as it is now.
    pub fn stores(&self) -> Arc<Stores> {
        Arc::clone(&lock(&self.stores))
    }

    /// Copies what is held of these credentials, and of these events.
    pub fn dump<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a CredentialKey>,
        event_ids: &[String],
    ) -> Dump {
        let stored = |key: &CredentialKey| {
            self.stores()
                .credentials(key.track)
                .find_now(&key.client_id)
        };
        let one = |key: &CredentialKey| {
            (
                key.clone(),
                self.cursor(key),
                stored(key).map(|stored| stored.credential),
            )
        };
        Dump {
            credentials: keys.into_iter().map(one).collect(),
            in_flight: event_ids
                .iter()
                .filter_map(|event_id| self.in_flight(event_id))
                .collect(),
        }
    }

    /// Puts a dump in the place of everything; the server is started again for it, or not.
    pub fn restore(&self, dump: &Dump, is_started_again: bool) {
        let stores = Stores::empty(self.stores().run + u64::from(is_started_again), &self.clock);
        for (key, cursor, record) in &dump.credentials {
            if let Some(stamp) = cursor.clone() {
                let operation = ApplyOperation::Delete;
                let apply = Apply {
                    key: key.clone(),
                    stamp,
                    operation,
                    now_ms: self.clock.now_ms(),
                };
                stores.peer.apply(&[apply]).now_or_never();
            }
            if let Some(record) = record {
                stores.plant(key, record);
            }
        }
        for event in &dump.in_flight {
            stores.peer.book(std::slice::from_ref(event)).now_or_never();
        }
        *lock(&self.stores) = Arc::new(stores);
    }

    /// The peer's cursor for a credential.
    pub fn cursor(&self, key: &CredentialKey) -> Option<Stamp> {
        // The memory store answers at once; one that does not is looked at again later.
        self.stores()
            .peer
            .cursors(std::slice::from_ref(key))
            .now_or_never()?
            .ok()?
            .pop()?
    }

    /// What the peer holds for a credential.
    pub fn record(&self, key: &CredentialKey) -> Content {
        let stored = self
            .stores()
            .credentials(key.track)
            .find_now(&key.client_id);
        held(stored.as_ref().map(|stored| &stored.credential))
    }

    /// The event as the peer's ledger knows it.
    pub fn in_flight(&self, event_id: &str) -> Option<InFlight> {
        self.stores()
            .peer
            .find(&[event_id.to_owned()])
            .now_or_never()?
            .ok()?
            .pop()?
    }
}

/// A peer's propagation secret.
pub fn secret_of(peer: &PeerName) -> Secret {
    Secret::new(format!("propagation-secret-of-{peer}"))
}
