//! The view of the whole mesh: what every peer's store really holds, beside what this peer's management store wants there.
//!
//! It begins at the first question, and ends when nobody asked or listened for a while. In between every store is followed by its own
//! announcements and this peer's changes by [`Propagator::subscribe`]; nothing is asked over and over. Rows are kept judged and ordered, so a question walks an index and
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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_base::clock::Clock;
use futures_util::Stream;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
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

/// When nobody asked for this long and nobody listens, the stores are left alone and what was read of them is forgotten.
const IDLE: Duration = Duration::from_secs(5 * 60);

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
    ground: Arc<Ground>,
    watching: Slot,
}

/// What the view stands on, whether it is watched or not.
pub(crate) struct Ground {
    /// In the order of the columns.
    pub(crate) stores: Vec<PeerStoreView>,
    pub(crate) administration: Arc<dyn Administration>,
    pub(crate) propagator: Propagator,
    peer: PeerName,
    doctor: Doctor,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

/// Empty while nobody looks.
type Slot = Arc<Mutex<Option<Watching>>>;

/// The stores are watched.
struct Watching {
    shared: Arc<Shared>,
    /// When somebody last asked.
    asked: Instant,
}

/// What the tasks share that watch from one first question on.
pub(crate) struct Shared {
    pub(crate) ground: Arc<Ground>,
    /// Told when a target was added or deleted.
    pub(crate) inventory: Notify,
    /// How many sources were tried once.
    pub(crate) loaded: watch::Sender<usize>,
    /// When it began: revisions count from here.
    since: i64,
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
        let mut peers: BTreeMap<PeerName, Option<Url>> = stores
            .iter()
            .map(|store| (store.name.clone(), None))
            .collect();
        peers.insert(sources.peer.clone(), None);
        peers.extend(
            sources
                .peer_urls
                .into_iter()
                .map(|(name, url)| (name, Some(url))),
        );
        let doctor = Doctor {
            peers: peers.into_iter().collect(),
            own: sources.peer.clone(),
            health: sources.health,
            propagator: sources.propagator.clone(),
            probe: parts.probe,
            control: parts.control,
            seen: Mutex::new(None),
        };
        let ground = Ground {
            stores,
            administration: sources.administration,
            propagator: sources.propagator,
            peer: sources.peer,
            doctor,
            clock: sources.clock,
            stop: sources.stop,
        };
        Arc::new(Self {
            ground: Arc::new(ground),
            watching: Slot::default(),
        })
    }

    /// One page of the matrix.
    pub async fn page(&self, query: &PageQuery) -> MeshPage {
        let shared = self.loaded().await;
        let at = self.ground.clock.now_ms();
        let table = shared.table();
        let rows = query.rows(&table);
        MeshPage {
            peer: self.ground.peer.to_string(),
            at,
            since: shared.since,
            revision: table.revision(),
            summary: table.summary(),
            peers: table.peers(),
            clients: rows.clients,
            matching: rows.matching,
            next: rows.next,
        }
    }

    /// One row; `None` for a client that nobody knows.
    pub async fn client(&self, key: &CredentialKey) -> Option<MeshClient> {
        self.loaded()
            .await
            .table()
            .client(&RowKey::from(key.clone()))
    }

    /// How every peer is.
    pub async fn health(&self) -> MeshHealth {
        let shared = self.loaded().await;
        MeshHealth {
            peers: shared.look().await,
            at: self.ground.clock.now_ms(),
        }
    }

    /// Changes from here on, as server-sent events: each item is one whole block. Ends when the peer is asked to stop.
    pub fn events(&self) -> impl Stream<Item = String> + Send + use<> {
        let shared = self.shared();
        let receiver = shared.told.subscribe();
        shared.look.notify_one();
        // Asked after the subscription: what changes between a page and here shows in the revision.
        let revision = shared.table().revision();
        let Ground {
            peer, clock, stop, ..
        } = &*self.ground;
        let (at, since) = (clock.now_ms(), shared.since);
        let hello =
            json!({ "peer": peer.as_str(), "at": at, "since": since, "revision": revision });
        events::stream(block("hello", &hello), receiver, stop.clone())
    }

    /// Takes note that a target was added or deleted: each has a column.
    pub fn inventory_changed(&self) {
        if let Some(watching) = &*slot(&self.watching) {
            watching.shared.inventory.notify_one();
        }
    }

    /// Stops or starts a peer of this process.
    ///
    /// # Errors
    /// 404 where that cannot be done from here, 503 when it failed.
    pub async fn control(&self, peer: &str, run: bool) -> Result<PeerControlled, Problem> {
        let Doctor { control, own, .. } = &self.ground.doctor;
        let control = control.as_ref().ok_or_else(Problem::no_route)?;
        let name = PeerName::parse(peer)
            .ok()
            .filter(|name| control.running(name).is_some() && name != own);
        let name = name.ok_or_else(|| {
            Problem::new(
                404,
                "UNKNOWN_PEER",
                format!("the peer {peer} cannot be stopped or started from here"),
            )
        })?;
        let done = if run {
            control.start(&name).await
        } else {
            control.stop(&name).await
        };
        self.ground.doctor.forget();
        self.shared().look.notify_one();
        done.map_err(Problem::unavailable)?;
        let state = if run {
            PeerState::Ready
        } else {
            PeerState::Stopped
        };
        Ok(PeerControlled {
            name: name.to_string(),
            state,
        })
    }

    /// Waits until every source was read or failed, for a bounded time.
    async fn loaded(&self) -> Arc<Shared> {
        let shared = self.shared();
        let all = self.ground.stores.len() + 1;
        // What did not answer in time is shown as it is: not read yet.
        let _ = timeout(
            FIRST_ANSWER,
            shared.loaded.subscribe().wait_for(|loaded| *loaded >= all),
        )
        .await;
        shared
    }

    /// What is watched; begins when nobody has looked before, or not for long.
    fn shared(&self) -> Arc<Shared> {
        let mut watching = slot(&self.watching);
        let watching = watching.get_or_insert_with(|| {
            let shared = Arc::new(Shared::new(&self.ground));
            tokio::spawn(watch_stores(
                Arc::clone(&shared),
                Arc::clone(&self.watching),
            ));
            Watching {
                shared,
                asked: Instant::now(),
            }
        });
        watching.asked = Instant::now();
        Arc::clone(&watching.shared)
    }
}

/// A panic elsewhere leaves it whole.
fn slot(slot: &Mutex<Option<Watching>>) -> MutexGuard<'_, Option<Watching>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches until nobody looks any more, or the peer is asked to stop.
async fn watch_stores(shared: Arc<Shared>, watching: Slot) {
    let mut tasks = JoinSet::new();
    for column in 0..shared.ground.stores.len() {
        tasks.spawn(follow::store(Arc::clone(&shared), column));
    }
    tasks.spawn(follow::management(Arc::clone(&shared)));
    tasks.spawn(watch_health(Arc::clone(&shared)));
    tokio::select! {
        () = shared.ground.stop.asked() => {}
        () = unwatched(&shared, &watching) => {}
    }
    // The tasks end with their set.
}

/// Waits until nobody asked for [`IDLE`] and nobody listens, and empties the slot.
async fn unwatched(shared: &Shared, watching: &Mutex<Option<Watching>>) {
    let mut until = Instant::now() + IDLE;
    loop {
        sleep_until(until).await;
        let mut watching = slot(watching);
        let asked = watching.as_ref().map_or(until, |watching| watching.asked);
        if shared.told.receiver_count() == 0 && asked.elapsed() >= IDLE {
            *watching = None;
            return;
        }
        until = if shared.told.receiver_count() == 0 {
            asked
        } else {
            Instant::now()
        } + IDLE;
    }
}

impl Shared {
    fn new(ground: &Arc<Ground>) -> Self {
        let columns = ground
            .stores
            .iter()
            .map(|store| (store.name.to_string(), store.name == ground.peer));
        Self {
            ground: Arc::clone(ground),
            inventory: Notify::new(),
            loaded: watch::Sender::new(0),
            since: ground.clock.now_ms(),
            table: Mutex::new(Table::new(columns)),
            told: broadcast::Sender::new(CAPACITY),
            look: Notify::new(),
        }
    }

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
        let sums = {
            let table = self.table();
            json!({ "revision": table.revision(), "summary": table.summary(), "peers": table.peers() })
        };
        let _ = self.told.send(block("summary", &sums));
    }

    fn told_as(&self, change: &RowChange) -> Arc<str> {
        let (RowChange::Client(key) | RowChange::Gone(key)) = change;
        let (revision, client) = {
            let table = self.table();
            (table.revision(), table.client(key))
        };
        match client {
            Some(client) => block("client", &ToldClient { revision, client }),
            None => {
                let gone = json!({ "clientId": key.client_id.as_str(), "track": key.track.as_str(), "revision": revision });
                block("gone", &gone)
            }
        }
    }

    async fn look(&self) -> Vec<PeerHealth> {
        let columns = self.table().peers();
        self.ground.doctor.look(&columns).await
    }
}

/// A row as events tell it.
#[derive(Serialize)]
struct ToldClient {
    revision: u64,
    #[serde(flatten)]
    client: MeshClient,
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
    use auth_base::clock::ManualClock;
    use auth_base::secret::Secret;
    use futures_util::StreamExt;
    use hmac_auth::credential::{ClientId, CredentialChange};
    use hmac_auth::credential_store::{CredentialWrite, WriteCondition};
    use hmac_auth::memory::MemoryCredentialStore;
    use hmac_auth::secret_hash::SecretHash;
    use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryPeerStore};
    use hmac_propagation::peer_store::Track;

    use super::*;
    use crate::mesh::stores::{ChangeSource, Changes, StoreChange};
    use crate::surface::administration::{
        AdministrationError, Backlog, HistoryEntry, NewTarget, StatePage, TargetOperation,
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

        async fn backlog(&self) -> Result<Backlog, AdministrationError> {
            Ok(Backlog::default())
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
            change: CredentialChange {
                secret_hash,
                ..CredentialChange::default()
            },
            condition: WriteCondition::Always,
            now_ms,
            backup_ttl: Duration::from_secs(1),
        };
        let client_id = ClientId::parse(client).unwrap();
        store.write_now(&client_id, &write);
        CredentialKey {
            track: Track::Http,
            client_id,
        }
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
        let peer_store = Arc::new(MemoryPeerStore::new(
            store.clone(),
            MemoryCredentialStore::new(),
        ));
        let credentials = BTreeMap::from([(Track::Http, Arc::new(store.clone()) as _)]);
        let stores = vec![PeerStoreView {
            name: name("me"),
            credentials,
            cursors: peer_store.clone(),
            changes: Arc::new(Told(changes.clone())),
        }];
        let broker = Arc::new(MemoryBroker::connect(&MemoryBus::new()));
        let propagator =
            Propagator::builder(name("me"), Secret::new("secret-of-me"), broker, peer_store)
                .start();
        let sources = MeshSources {
            peer: name("me"),
            peer_urls: vec![(name("other"), Url::parse("http://127.0.0.1:1").unwrap())],
            administration: Arc::new(Nothing),
            propagator,
            health: Health::new("me", Vec::new(), stop.clone()),
            clock: Arc::new(ManualClock::new(7)),
            stop: stop.clone(),
        };
        let view = MeshView::new(
            MeshParts {
                stores,
                probe: Arc::new(Nothing),
                control: None,
            },
            sources,
        );
        World {
            view,
            store,
            changes,
            stop,
        }
    }

    async fn page(view: &MeshView) -> MeshPage {
        view.page(&PageQuery::parse(None).unwrap()).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_told_once_and_health_only_when_it_changes() {
        let World {
            view,
            store,
            changes,
            stop,
        } = world();
        let first = page(&view).await;
        assert_eq!((first.summary.clients, first.since), (0, 7));
        let mut events = pin!(view.events());
        let revision = first.revision;
        let hello = format!(
            "event: hello\ndata: {{\"at\":7,\"peer\":\"me\",\"revision\":{revision},\"since\":7}}\n\n"
        );
        assert_eq!(
            events.next().await.unwrap(),
            hello,
            "the state that the page was of"
        );
        for peer in ["me", "other"] {
            let health = events.next().await.unwrap();
            assert!(
                health.starts_with("event: health")
                    && health.contains(&format!("\"name\":\"{peer}\""))
            );
        }
        let key = put(&store, "client", 5);
        changes
            .send(StoreChange::Credentials(vec![key.clone()]))
            .unwrap();
        let client = events.next().await.unwrap();
        assert!(
            client.starts_with("event: client\ndata: {") && client.contains("\"state\":\"inSync\"")
        );
        let revision = revision + 1;
        assert!(
            client.contains(&format!("\"revision\":{revision}")),
            "{client}"
        );
        assert_eq!(page(&view).await.revision, revision);
        assert!(events.next().await.unwrap().starts_with("event: summary"));
        changes
            .send(StoreChange::Credentials(vec![key.clone()]))
            .unwrap();
        assert_eq!(
            events.next().await.unwrap(),
            ": keep-alive\n\n",
            "nothing new, and nobody's health changed"
        );
        store.delete_now(&key.client_id);
        changes.send(StoreChange::Everything).unwrap();
        let revision = revision + 1;
        let gone = format!(
            "event: gone\ndata: {{\"clientId\":\"client\",\"revision\":{revision},\"track\":\"http\"}}\n\n"
        );
        assert_eq!(events.next().await.unwrap(), gone);
        assert!(events.next().await.unwrap().starts_with("event: summary"));
        stop.ask();
        assert_eq!(events.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_stores_are_left_alone_while_nobody_looks() {
        let World {
            view,
            store,
            changes,
            ..
        } = world();
        put(&store, "client", 5);
        assert_eq!(
            changes.receiver_count(),
            0,
            "nothing is read before the first question"
        );
        assert_eq!(page(&view).await.summary.clients, 1);
        let events = view.events();
        tokio::time::sleep(IDLE * 3).await;
        assert_eq!(changes.receiver_count(), 1, "somebody listens");
        drop(events);
        tokio::time::sleep(IDLE).await;
        page(&view).await;
        tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
        assert_eq!(changes.receiver_count(), 1, "somebody asked a moment ago");
        tokio::time::sleep(IDLE).await;
        assert_eq!(changes.receiver_count(), 0);
        put(&store, "other", 6);
        assert_eq!(page(&view).await.summary.clients, 2, "and it begins anew");
        assert_eq!(changes.receiver_count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn many_changes_are_told_as_one() {
        let World {
            view,
            store,
            changes,
            ..
        } = world();
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
