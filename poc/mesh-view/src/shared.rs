//! What the tasks share that watch from one first question on: the table, and who is told of its changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac_propagation::peer_store::CredentialKey;
use mesh_api::health::PeerHealth;
use mesh_api::mesh::MeshClient;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Notify, broadcast, watch};

use crate::events::{CAPACITY, block, reload};
use crate::health::HealthChecker;
use crate::row_key::RowKey;
use crate::sources::Sources;
use crate::table::{RowChange, Table};

/// Rows judged at once, before others get their turn.
const CHUNK: usize = 500;

/// With more rows changed at once, subscribers are told to read anew.
const TOLD_SINGLY: usize = 200;

/// Shared by the tasks that watch.
pub(crate) struct Shared {
    pub(crate) sources: Arc<Sources>,
    pub(crate) checker: Arc<HealthChecker>,
    /// Told when a target was added or deleted.
    pub(crate) inventory: Notify,
    /// How many sources were tried once.
    pub(crate) loaded: watch::Sender<usize>,
    /// When it began: revisions count from here.
    pub(crate) since: i64,
    /// What subscribers are told.
    pub(crate) events: broadcast::Sender<Arc<str>>,
    /// Told when somebody begins to listen, or when a peer's health should be looked at now.
    pub(crate) look: Notify,
    table: Mutex<Table>,
}

impl Shared {
    pub(crate) fn new(sources: Arc<Sources>, checker: Arc<HealthChecker>) -> Self {
        let columns = sources
            .stores
            .iter()
            .map(|store| (store.name.to_string(), store.name == sources.peer));
        let table = Table::new(columns);
        Self {
            checker,
            inventory: Notify::new(),
            loaded: watch::Sender::new(0),
            since: sources.clock.now_ms(),
            events: broadcast::Sender::new(CAPACITY),
            look: Notify::new(),
            table: Mutex::new(table),
            sources,
        }
    }

    /// A panic elsewhere leaves the table whole: every change to it is one step.
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One row as it is shown; `None` for a client that nobody knows.
    pub(crate) fn client(&self, key: &CredentialKey) -> Option<MeshClient> {
        self.table().client(&RowKey::from(key.clone()))
    }

    /// Judges rows anew, a few at a time, and tells whoever listens.
    pub(crate) async fn apply(&self, touched: Vec<RowKey>) {
        let mut changes = Vec::new();
        let before = self.table().summary();
        for chunk in touched.chunks(CHUNK) {
            {
                let mut table = self.table();
                changes.extend(chunk.iter().filter_map(|key| table.refresh(key)));
            }
            tokio::task::yield_now().await;
        }
        let after = self.table().summary();
        self.tell(&changes, before != after);
    }

    /// Tells whoever listens to read everything anew.
    pub(crate) fn tell_anew(&self) {
        // Nobody may be listening.
        let _ = self.events.send(reload());
    }

    /// How every peer is.
    pub(crate) async fn look_at_health(&self) -> Vec<PeerHealth> {
        let columns = self.table().peers();
        self.checker.look(&columns).await
    }

    fn tell(&self, changes: &[RowChange], summary_changed: bool) {
        if self.events.receiver_count() == 0 || (changes.is_empty() && !summary_changed) {
            return;
        }
        // Whoever listened may have gone meanwhile, here and below.
        if changes.len() > TOLD_SINGLY {
            let _ = self.events.send(reload());
        } else {
            for change in changes {
                let _ = self.events.send(self.event_of(change));
            }
        }
        let sums = {
            let table = self.table();
            json!({ "revision": table.revision(), "summary": table.summary(), "peers": table.peers() })
        };
        let _ = self.events.send(block("summary", &sums));
    }

    fn event_of(&self, change: &RowChange) -> Arc<str> {
        let (RowChange::Client(key) | RowChange::Gone(key)) = change;
        let (revision, client) = {
            let table = self.table();
            (table.revision(), table.client(key))
        };
        match client {
            Some(client) => block("client", &ClientEvent { revision, client }),
            None => {
                let gone = json!({ "clientId": key.client_id.as_str(), "track": key.track.as_str(), "revision": revision });
                block("gone", &gone)
            }
        }
    }
}

/// A row as events tell it.
#[derive(Serialize)]
struct ClientEvent {
    revision: u64,
    #[serde(flatten)]
    client: MeshClient,
}
