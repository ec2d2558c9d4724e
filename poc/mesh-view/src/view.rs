//! The view, while somebody looks and while nobody does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use mesh_api::health::{MeshHealth, PeerControlled, PeerHealth, PeerState};
use mesh_api::mesh::{MeshClient, MeshPage, MeshQuery};
use mesh_api::problem::Problem;
use mesh_management::view::{Events, MeshView};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::events::{self, block};
use crate::follow;
use crate::health::HealthChecker;
use crate::page::PageQuery;
use crate::shared::Shared;
use crate::sources::Sources;

/// The first question waits this long for the stores; what did not answer by then is told as unreachable.
const FIRST_ANSWER: Duration = Duration::from_secs(4);

/// How often the peers' health is looked at while somebody listens.
const HEALTH_EVERY: Duration = Duration::from_secs(5);

/// When nobody asked for this long and nobody listens, the stores are left alone and what was read of them is forgotten.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// The view of the mesh of one process.
pub struct LiveMeshView {
    sources: Arc<Sources>,
    checker: Arc<HealthChecker>,
    watching: Slot,
}

/// Empty while nobody looks.
type Slot = Arc<Mutex<Option<Watching>>>;

/// The stores are watched.
struct Watching {
    shared: Arc<Shared>,
    /// When somebody last asked.
    asked: Instant,
}

impl LiveMeshView {
    /// Puts it together; nothing is read before the first question.
    pub fn new(mut sources: Sources) -> Arc<Self> {
        sources
            .stores
            .sort_by(|one, other| one.name.cmp(&other.name));
        let checker = Arc::new(HealthChecker::new(&sources));
        Arc::new(Self {
            sources: Arc::new(sources),
            checker,
            watching: Slot::default(),
        })
    }

    /// Waits until every source was read or failed, for a bounded time.
    async fn loaded(&self) -> Arc<Shared> {
        let shared = self.shared();
        let all = self.sources.stores.len() + 1;
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
            let (sources, checker) = (Arc::clone(&self.sources), Arc::clone(&self.checker));
            let shared = Arc::new(Shared::new(sources, checker));
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

#[async_trait]
impl MeshView for LiveMeshView {
    async fn page(&self, query: MeshQuery) -> Result<MeshPage, Problem> {
        let query = PageQuery::of(query)?;
        let shared = self.loaded().await;
        let at = self.sources.clock.now_ms();
        let table = shared.table();
        let rows = query.rows(&table);
        Ok(MeshPage {
            peer: self.sources.peer.to_string(),
            at,
            since: shared.since,
            revision: table.revision(),
            summary: table.summary(),
            peers: table.peers(),
            clients: rows.clients,
            matching: rows.matching,
            next: rows.next,
        })
    }

    async fn client(&self, key: &CredentialKey) -> Option<MeshClient> {
        self.loaded().await.client(key)
    }

    async fn health(&self) -> MeshHealth {
        let shared = self.loaded().await;
        MeshHealth {
            peers: shared.look_at_health().await,
            at: self.sources.clock.now_ms(),
        }
    }

    async fn control(&self, peer: &str, run: bool) -> Result<PeerControlled, Problem> {
        let control = self.sources.control.as_ref();
        let control = control.ok_or_else(Problem::no_route)?;
        let name = PeerName::parse(peer)
            .ok()
            .filter(|name| control.running(name).is_some() && *name != self.sources.peer);
        let name = name.ok_or_else(|| {
            Problem::new(
                404,
                "UNKNOWN_PEER",
                format!("the peer {peer} cannot be stopped or started from here"),
            )
        })?;
        let (done, state) = if run {
            (control.start(&name).await, PeerState::Ready)
        } else {
            (control.stop(&name).await, PeerState::Stopped)
        };
        self.checker.forget();
        self.shared().look.notify_one();
        done.map_err(Problem::unavailable)?;
        Ok(PeerControlled {
            name: name.to_string(),
            state,
        })
    }

    fn inventory_changed(&self) {
        if let Some(watching) = &*slot(&self.watching) {
            watching.shared.inventory.notify_one();
        }
    }

    fn events(&self) -> Events {
        let shared = self.shared();
        let receiver = shared.events.subscribe();
        shared.look.notify_one();
        // Asked after the subscription: what changes between a page and here shows in the revision.
        let revision = shared.table().revision();
        let Sources {
            peer, clock, stop, ..
        } = &*self.sources;
        let (at, since) = (clock.now_ms(), shared.since);
        let hello =
            json!({ "peer": peer.as_str(), "at": at, "since": since, "revision": revision });
        Box::pin(events::stream(
            block("hello", &hello),
            receiver,
            stop.clone(),
        ))
    }
}

/// A panic elsewhere leaves it whole.
fn slot(slot: &Mutex<Option<Watching>>) -> MutexGuard<'_, Option<Watching>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches until nobody looks any more, or the peer is asked to stop.
async fn watch_stores(shared: Arc<Shared>, watching: Slot) {
    let mut tasks = JoinSet::new();
    for column in 0..shared.sources.stores.len() {
        tasks.spawn(follow::store(Arc::clone(&shared), column));
    }
    tasks.spawn(follow::management(Arc::clone(&shared)));
    tasks.spawn(watch_health(Arc::clone(&shared)));
    tokio::select! {
        () = shared.sources.stop.asked() => {}
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
        if shared.events.receiver_count() == 0 && asked.elapsed() >= IDLE {
            *watching = None;
            return;
        }
        until = if shared.events.receiver_count() == 0 {
            asked
        } else {
            Instant::now()
        } + IDLE;
    }
}

/// Looks at the peers' health while somebody listens, and tells what changed.
async fn watch_health(shared: Arc<Shared>) {
    let mut before: Vec<PeerHealth> = Vec::new();
    loop {
        if shared.events.receiver_count() == 0 {
            before.clear();
            shared.look.notified().await;
        }
        let now = shared.look_at_health().await;
        for health in now.iter().filter(|health| !before.contains(health)) {
            let _ = shared.events.send(block("health", health));
        }
        before = now;
        let _ = timeout(HEALTH_EVERY, shared.look.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use auth_base::clock::ManualClock;
    use auth_base::secret::Secret;
    use futures_util::StreamExt;
    use hmac_auth::credential::{ClientId, CredentialChange};
    use hmac_auth::credential_store::{CredentialWrite, WriteCondition};
    use hmac_auth::memory::MemoryCredentialStore;
    use hmac_auth::secret_hash::SecretHash;
    use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryPeerStore};
    use hmac_propagation::origin::Origin;
    use hmac_propagation::peer_store::Track;
    use hmac_propagation::propagator::Propagator;
    use mesh_api::state::StatePage;
    use mesh_api::timeline::HistoryEntry;
    use mesh_management::administration::{
        Administration, AdministrationError, Backlog, NewTarget, TargetOperation,
    };
    use peer_kit::health::Health;
    use peer_kit::shutdown::Stop;
    use tokio::sync::broadcast;
    use url::Url;

    use super::*;
    use crate::probe::PeerProbe;
    use crate::stores::{ChangeSource, Changes, PeerStoreView, StoreChange};

    struct Nothing;

    #[async_trait]
    impl Administration for Nothing {
        async fn put_target(
            &self,
            _: &NewTarget,
            _: &Origin,
        ) -> Result<TargetOperation, AdministrationError> {
            Ok(TargetOperation::Create)
        }

        async fn delete_target(&self, _: &str, _: &Origin) -> Result<(), AdministrationError> {
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

    struct Announced(broadcast::Sender<StoreChange>);

    impl ChangeSource for Announced {
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
        view: Arc<LiveMeshView>,
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
            changes: Arc::new(Announced(changes.clone())),
        }];
        let broker = Arc::new(MemoryBroker::connect(&MemoryBus::new()));
        let propagator =
            Propagator::builder(name("me"), Secret::new("secret-of-me"), broker, peer_store)
                .start();
        let view = LiveMeshView::new(Sources {
            peer: name("me"),
            stores,
            peer_urls: vec![(name("other"), Url::parse("http://127.0.0.1:1").unwrap())],
            administration: Arc::new(Nothing),
            propagator,
            health: Health::new("me", Vec::new(), stop.clone()),
            probe: Arc::new(Nothing),
            control: None,
            clock: Arc::new(ManualClock::new(7)),
            stop: stop.clone(),
        });
        World {
            view,
            store,
            changes,
            stop,
        }
    }

    async fn page(view: &LiveMeshView) -> MeshPage {
        view.page(MeshQuery::default()).await.unwrap()
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
        let mut events = view.events();
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
        let mut events = view.events();
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
