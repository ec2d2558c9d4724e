//! The view of the whole mesh: what every peer's store really holds, beside what this peer's management store wants there.
//!
//! It begins at the first question. From then on every store is followed by its own announcements and this peer's changes by
//! [`Propagator::subscribe`]; nothing is asked over and over. Rows are kept judged and ordered, so a question walks an index and
//! reads nothing. Whoever listens is sent changes, not states; one who is slow is told to read anew.

pub mod control;
pub mod events;
pub mod health;
pub mod model;
pub mod page;
pub mod stores;

mod cells;
mod column;
mod follow;
mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use hmac_auth::clock::Clock;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use serde_json::json;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::timeout;
use url::Url;

use crate::health::Health;
use crate::mesh::control::PeerControl;
use crate::mesh::events::{CAPACITY, block, reload};
use crate::mesh::health::{Doctor, PeerProbe};
use crate::mesh::model::{MeshClient, MeshHealth, MeshPage, PeerControlled, PeerHealth, PeerState};
use crate::mesh::page::PageQuery;
use crate::mesh::stores::PeerStoreView;
use crate::mesh::table::{RowChange, RowKey, Table};
use crate::problem::Problem;
use crate::shutdown::Stop;
use crate::surface::administration::Administration;

/// The first question waits this long for the stores; what did not answer by then is told as unreachable.
const FIRST_ANSWER: Duration = Duration::from_secs(4);

/// Rows judged at once, before others get their turn.
const CHUNK: usize = 500;

/// With more rows changed at once, subscribers are told to read anew.
const TOLD_SINGLY: usize = 200;

/// How often the peers' health is looked at while somebody listens.
const HEALTH_EVERY: Duration = Duration::from_secs(5);

/// What the view is wired from, besides what every full-mode peer has.
pub struct MeshParts {
    /// The stores of all peers that can be read, this peer's own among them.
    pub stores: Vec<PeerStoreView>,
    /// Asks other peers how they are.
    pub probe: Arc<dyn PeerProbe>,
    /// Stops and starts peers, where the process can.
    pub control: Option<Arc<dyn PeerControl>>,
}

/// What the view stands on.
pub(crate) struct MeshSources {
    pub(crate) peer: PeerName,
    pub(crate) peer_urls: Vec<(PeerName, Url)>,
    pub(crate) administration: Arc<dyn Administration>,
    pub(crate) propagator: Propagator,
    pub(crate) health: Arc<Health>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stop: Stop,
}

/// The view of the mesh of one process.
pub struct MeshView {
    shared: Arc<Shared>,
    started: Once,
}

/// What the view's tasks share.
pub(crate) struct Shared {
    /// In the order of the columns.
    pub(crate) stores: Vec<PeerStoreView>,
    pub(crate) administration: Arc<dyn Administration>,
    pub(crate) propagator: Propagator,
    /// Told when a target was added or deleted.
    pub(crate) inventory: Notify,
    /// How many sources were tried once.
    pub(crate) loaded: watch::Sender<usize>,
    peer: PeerName,
    doctor: Doctor,
    clock: Arc<dyn Clock>,
    stop: Stop,
    table: Mutex<Table>,
    told: broadcast::Sender<Arc<str>>,
    /// Told when somebody begins to listen, or when a peer's health should be looked at now.
    look: Notify,
}

impl MeshView {
    /// Puts it together; nothing is read before the first question.
    pub(crate) fn new(parts: MeshParts, sources: MeshSources) -> Arc<Self> {
        let mut stores = parts.stores;
        stores.sort_by(|one, other| one.name.cmp(&other.name));
        let columns = stores.iter().map(|store| (store.name.to_string(), store.name == sources.peer));
        let mut peers: BTreeMap<PeerName, Option<Url>> =
            stores.iter().map(|store| (store.name.clone(), None)).collect();
        peers.insert(sources.peer.clone(), None);
        peers.extend(sources.peer_urls.into_iter().map(|(name, url)| (name, Some(url))));
        let doctor = Doctor {
            peers: peers.into_iter().collect(),
            own: sources.peer.clone(),
            health: sources.health,
            propagator: sources.propagator.clone(),
            probe: parts.probe,
            control: parts.control,
            seen: Mutex::new(None),
        };
        let shared = Shared {
            table: Mutex::new(Table::new(columns)),
            stores,
            administration: sources.administration,
            propagator: sources.propagator,
            inventory: Notify::new(),
            loaded: watch::Sender::new(0),
            peer: sources.peer,
            doctor,
            clock: sources.clock,
            stop: sources.stop,
            told: broadcast::Sender::new(CAPACITY),
            look: Notify::new(),
        };
        Arc::new(Self { shared: Arc::new(shared), started: Once::new() })
    }

    /// One page of the matrix.
    pub async fn page(&self, query: &PageQuery) -> MeshPage {
        self.loaded().await;
        let at = self.shared.clock.now_ms();
        let table = self.shared.table();
        let rows = query.rows(&table);
        MeshPage {
            peer: self.shared.peer.to_string(),
            at,
            summary: table.summary(),
            peers: table.peers(),
            clients: rows.clients,
            matching: rows.matching,
            next: rows.next,
        }
    }

    /// One row; `None` for a client that nobody knows.
    pub async fn client(&self, key: &CredentialKey) -> Option<MeshClient> {
        self.loaded().await;
        self.shared.table().client(&RowKey::from(key.clone()))
    }

    /// How every peer is.
    pub async fn health(&self) -> MeshHealth {
        self.loaded().await;
        MeshHealth { peers: self.shared.look().await, at: self.shared.clock.now_ms() }
    }

    /// Changes from here on, as server-sent events: each item is one whole block. Ends when the peer is asked to stop.
    pub fn events(&self) -> impl Stream<Item = String> + Send + use<> {
        self.start();
        let shared = &self.shared;
        let receiver = shared.told.subscribe();
        shared.look.notify_one();
        let hello = json!({ "peer": shared.peer.as_str(), "at": shared.clock.now_ms() });
        events::stream(block("hello", &hello), receiver, shared.stop.clone())
    }

    /// Takes note that a target was added or deleted: each has a column.
    pub fn inventory_changed(&self) {
        self.shared.inventory.notify_one();
    }

    /// Stops or starts a peer of this process.
    ///
    /// # Errors
    /// 404 where that cannot be done from here, 503 when it failed.
    pub async fn control(&self, peer: &str, run: bool) -> Result<PeerControlled, Problem> {
        let Doctor { control, own, .. } = &self.shared.doctor;
        let control = control.as_ref().ok_or_else(Problem::no_route)?;
        let name = PeerName::parse(peer).ok().filter(|name| control.running(name).is_some() && name != own);
        let name = name.ok_or_else(|| {
            Problem::new(
                404,
                "UNKNOWN_PEER",
                format!("the peer {peer} cannot be stopped or started from here"),
            )
        })?;
        let done = if run { control.start(&name).await } else { control.stop(&name).await };
        self.shared.doctor.forget();
        self.shared.look.notify_one();
        done.map_err(Problem::unavailable)?;
        let state = if run { PeerState::Ready } else { PeerState::Stopped };
        Ok(PeerControlled { name: name.to_string(), state })
    }

    /// Waits until every source was read or failed, for a bounded time.
    async fn loaded(&self) {
        self.start();
        let all = self.shared.stores.len() + 1;
        let mut loaded = self.shared.loaded.subscribe();
        // What did not answer in time is shown as it is: not read yet.
        let _ = timeout(FIRST_ANSWER, loaded.wait_for(|loaded| *loaded >= all)).await;
    }

    fn start(&self) {
        self.started.call_once(|| {
            for column in 0..self.shared.stores.len() {
                self.spawn(follow::store(Arc::clone(&self.shared), column));
            }
            self.spawn(follow::management(Arc::clone(&self.shared)));
            self.spawn(watch_health(Arc::clone(&self.shared)));
        });
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.shared.stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.asked() => {}
                () = task => {}
            }
        });
    }
}

impl Shared {
    /// A panic elsewhere leaves the table whole: every change to it is one step.
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
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
        let _ = self.told.send(reload());
    }

    fn tell(&self, changes: &[RowChange], summary_changed: bool) {
        if self.told.receiver_count() == 0 || (changes.is_empty() && !summary_changed) {
            return;
        }
        // Whoever listened may have gone meanwhile, here and below.
        if changes.len() > TOLD_SINGLY {
            let _ = self.told.send(reload());
        } else {
            for change in changes {
                let _ = self.told.send(self.told_as(change));
            }
        }
        let (summary, peers) = {
            let table = self.table();
            (table.summary(), table.peers())
        };
        let _ = self.told.send(block("summary", &json!({ "summary": summary, "peers": peers })));
    }

    fn told_as(&self, change: &RowChange) -> Arc<str> {
        let (RowChange::Client(key) | RowChange::Gone(key)) = change;
        match self.table().client(key) {
            Some(client) => block("client", &client),
            None => {
                let gone = json!({ "clientId": key.client_id.as_str(), "track": key.track.as_str() });
                block("gone", &gone)
            }
        }
    }

    async fn look(&self) -> Vec<PeerHealth> {
        let columns = self.table().peers();
        self.doctor.look(&columns).await
    }
}

/// Looks at the peers' health while somebody listens, and tells what changed.
async fn watch_health(shared: Arc<Shared>) {
    let mut before: Vec<PeerHealth> = Vec::new();
    loop {
        if shared.told.receiver_count() == 0 {
            before.clear();
            shared.look.notified().await;
        }
        let now = shared.look().await;
        for health in now.iter().filter(|health| !before.contains(health)) {
            let _ = shared.told.send(block("health", health));
        }
        before = now;
        let _ = timeout(HEALTH_EVERY, shared.look.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use async_trait::async_trait;
    use futures_util::StreamExt;
    use hmac_auth::clock::ManualClock;
    use hmac_auth::credential::{ClientId, CredentialChange};
    use hmac_auth::memory::MemoryCredentialStore;
    use hmac_auth::secret::{Secret, SecretHash};
    use hmac_auth::store::{CredentialWrite, WriteCondition};
    use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryPeerStore};
    use hmac_propagation::peer_store::Track;

    use super::*;
    use crate::mesh::stores::{ChangeSource, Changes, StoreChange};
    use crate::surface::administration::{
        AdministrationError, HistoryEntry, NewTarget, StatePage, TargetOperation,
    };

    struct Nothing;

    #[async_trait]
    impl Administration for Nothing {
        async fn put_target(&self, _: &NewTarget) -> Result<TargetOperation, AdministrationError> {
            Ok(TargetOperation::Create)
        }

        async fn delete_target(&self, _: &str) -> Result<(), AdministrationError> {
            Ok(())
        }

        async fn state(&self, _: Option<&str>, _: usize) -> Result<StatePage, AdministrationError> {
            Ok(StatePage::default())
        }

        async fn credentials(&self, _: &[CredentialKey]) -> Result<StatePage, AdministrationError> {
            Ok(StatePage::default())
        }

        async fn history(
            &self,
            _: &CredentialKey,
            _: Option<i64>,
            _: usize,
        ) -> Result<Vec<HistoryEntry>, AdministrationError> {
            Ok(Vec::new())
        }
    }

    #[async_trait]
    impl PeerProbe for Nothing {
        async fn get(&self, _: &Url) -> Option<Vec<u8>> {
            None
        }
    }

    struct Told(broadcast::Sender<StoreChange>);

    impl ChangeSource for Told {
        fn watch(&self) -> Box<dyn Changes> {
            Box::new(Watching(self.0.subscribe()))
        }
    }

    struct Watching(broadcast::Receiver<StoreChange>);

    #[async_trait]
    impl Changes for Watching {
        async fn next(&mut self) -> StoreChange {
            self.0.recv().await.unwrap_or(StoreChange::Everything)
        }
    }

    fn name(text: &str) -> PeerName {
        PeerName::parse(text).unwrap()
    }

    fn put(store: &MemoryCredentialStore, client: &str, now_ms: i64) -> CredentialKey {
        let secret_hash = Some(SecretHash::parse(&format!("{now_ms:064x}")).unwrap());
        let write = CredentialWrite {
            change: CredentialChange { secret_hash, ..CredentialChange::default() },
            condition: WriteCondition::Always,
            now_ms,
            backup_ttl: Duration::from_secs(1),
        };
        let client_id = ClientId::parse(client).unwrap();
        store.write_now(&client_id, &write);
        CredentialKey { track: Track::Http, client_id }
    }

    struct World {
        view: Arc<MeshView>,
        store: MemoryCredentialStore,
        changes: broadcast::Sender<StoreChange>,
        stop: Stop,
    }

    fn world() -> World {
        let (store, stop) = (MemoryCredentialStore::new(), Stop::default());
        let changes = broadcast::Sender::new(16);
        let peer_store = Arc::new(MemoryPeerStore::new(store.clone(), MemoryCredentialStore::new()));
        let credentials = BTreeMap::from([(Track::Http, Arc::new(store.clone()) as _)]);
        let stores = vec![PeerStoreView {
            name: name("me"),
            credentials,
            cursors: peer_store.clone(),
            changes: Arc::new(Told(changes.clone())),
        }];
        let broker = Arc::new(MemoryBroker::connect(&MemoryBus::new()));
        let propagator =
            Propagator::builder(name("me"), Secret::new("secret-of-me"), broker, peer_store).start();
        let sources = MeshSources {
            peer: name("me"),
            peer_urls: vec![(name("other"), Url::parse("http://127.0.0.1:1").unwrap())],
            administration: Arc::new(Nothing),
            propagator,
            health: Health::new("me", Vec::new(), stop.clone()),
            clock: Arc::new(ManualClock::new(7)),
            stop: stop.clone(),
        };
        let view = MeshView::new(MeshParts { stores, probe: Arc::new(Nothing), control: None }, sources);
        World { view, store, changes, stop }
    }

    async fn page(view: &MeshView) -> MeshPage {
        view.page(&PageQuery::parse(None).unwrap()).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_told_once_and_health_only_when_it_changes() {
        let World { view, store, changes, stop } = world();
        assert_eq!(page(&view).await.summary.clients, 0);
        let mut events = pin!(view.events());
        assert!(events.next().await.unwrap().starts_with("event: hello\ndata: {\"at\":7,\"peer\":\"me\"}"));
        for peer in ["me", "other"] {
            let health = events.next().await.unwrap();
            assert!(health.starts_with("event: health") && health.contains(&format!("\"name\":\"{peer}\"")));
        }
        let key = put(&store, "client", 5);
        changes.send(StoreChange::Credentials(vec![key.clone()])).unwrap();
        let client = events.next().await.unwrap();
        assert!(client.starts_with("event: client\ndata: {") && client.contains("\"state\":\"inSync\""));
        assert!(events.next().await.unwrap().starts_with("event: summary"));
        changes.send(StoreChange::Credentials(vec![key.clone()])).unwrap();
        assert_eq!(
            events.next().await.unwrap(),
            ": keep-alive\n\n",
            "nothing new, and nobody's health changed"
        );
        store.delete_now(&key.client_id);
        changes.send(StoreChange::Everything).unwrap();
        let gone = "event: gone\ndata: {\"clientId\":\"client\",\"track\":\"http\"}\n\n";
        assert_eq!(events.next().await.unwrap(), gone);
        assert!(events.next().await.unwrap().starts_with("event: summary"));
        stop.ask();
        assert_eq!(events.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn many_changes_are_told_as_one() {
        let World { view, store, changes, .. } = world();
        page(&view).await;
        let mut events = pin!(view.events());
        for _ in 0..3 {
            events.next().await.unwrap();
        }
        for n in 0..1_000 {
            put(&store, &format!("client-{n}"), 5);
        }
        changes.send(StoreChange::Everything).unwrap();
        assert_eq!(events.next().await.unwrap(), "event: reload\ndata: {}\n\n");
        assert!(events.next().await.unwrap().contains("\"clients\":1000"));
        assert_eq!(page(&view).await.matching, 1_000);
    }
}
