//! A source and a target on one in-memory bus, with stores that can lose things, and views of them that can fail.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::Clock;
use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use hmac_auth::credential::{ClientId, Credential, CredentialChange};
use hmac_auth::credential_store::{
    CredentialPage, CredentialStore, CredentialWrite, StoredCredential, WriteCondition,
    WriteOutcome,
};
use hmac_auth::memory::MemoryCredentialStore;
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::drift::{DriftReport, StoreView};
use hmac_propagation::memory::management::DeliveryView;
use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore};
use hmac_propagation::options::{Ensure, Revoke, Rotate, Settings};
use hmac_propagation::peer_store::{
    AckResult, Applied, Apply, ApplyOperation, CredentialKey, FinalStatus, InFlight, PeerStore,
    Stamp, Track,
};
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;

pub(crate) const FIRST: &str = "first-secret-of-client";
pub(crate) const SECOND: &str = "second-secret-of-client";
pub(crate) const INTERVAL: Duration = Duration::from_secs(300);
/// Rows of a page.
pub(crate) const PAGE: usize = 5;

/// How a view of a store behaves.
#[derive(Clone, Copy)]
pub(crate) enum Mood {
    Works,
    Away,
    Hangs,
}

type Hook = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A peer's store, which can forget.
struct Store {
    http: MemoryCredentialStore,
    message: MemoryCredentialStore,
    inner: Mutex<Arc<MemoryPeerStore>>,
    holds: AtomicBool,
    mood: AtomicU8,
    starts: AtomicU32,
    reads: AtomicU32,
    hook: Mutex<Option<Hook>>,
}

impl Store {
    fn new() -> Arc<Self> {
        let (http, message) = (MemoryCredentialStore::new(), MemoryCredentialStore::new());
        Arc::new(Self {
            inner: Mutex::new(Arc::new(MemoryPeerStore::new(
                http.clone(),
                message.clone(),
            ))),
            http,
            message,
            holds: AtomicBool::new(false),
            mood: AtomicU8::new(Mood::Works as u8),
            starts: AtomicU32::new(1),
            reads: AtomicU32::new(0),
            hook: Mutex::default(),
        })
    }

    fn inner(&self) -> Arc<MemoryPeerStore> {
        Arc::clone(&self.inner.lock().unwrap())
    }

    fn view(self: &Arc<Self>) -> StoreView {
        let view = |track| -> Arc<dyn CredentialStore> {
            Arc::new(View {
                store: Arc::clone(self),
                track,
            })
        };
        StoreView {
            credentials: [Track::Http, Track::Message]
                .map(|track| (track, view(track)))
                .into(),
            cursors: self.clone(),
        }
    }
}

#[async_trait]
impl PeerStore for Store {
    fn tracks(&self) -> &[Track] {
        &[Track::Http, Track::Message]
    }

    async fn apply(&self, batch: &[Apply]) -> Vec<Result<Applied, StoreError>> {
        if self.holds.load(Ordering::SeqCst) {
            return batch
                .iter()
                .map(|_| Err(StoreError::Unavailable("held".into())))
                .collect();
        }
        self.inner().apply(batch).await
    }

    async fn cursors(&self, keys: &[CredentialKey]) -> Result<Vec<Option<Stamp>>, StoreError> {
        if self.mood.load(Ordering::SeqCst) == Mood::Away as u8 {
            return Err(StoreError::Unavailable("away".into()));
        }
        self.inner().cursors(keys).await
    }

    async fn book(&self, events: &[InFlight]) -> Result<(), StoreError> {
        self.inner().book(events).await
    }

    async fn find(&self, event_ids: &[String]) -> Result<Vec<Option<InFlight>>, StoreError> {
        self.inner().find(event_ids).await
    }

    async fn complete(
        &self,
        events: &[(InFlight, AckResult)],
    ) -> Result<Vec<Option<FinalStatus>>, StoreError> {
        self.inner().complete(events).await
    }

    async fn discard(&self, events: &[InFlight]) -> Result<(), StoreError> {
        self.inner().discard(events).await
    }

    async fn run_id(&self) -> Result<Option<String>, StoreError> {
        match self.mood.load(Ordering::SeqCst) {
            mood if mood == Mood::Away as u8 => Err(StoreError::Unavailable("away".into())),
            _ => Ok(Some(format!("run {}", self.starts.load(Ordering::SeqCst)))),
        }
    }
}

/// What a source sees of a store.
struct View {
    store: Arc<Store>,
    track: Track,
}

impl View {
    fn credentials(&self) -> &MemoryCredentialStore {
        match self.track {
            Track::Http => &self.store.http,
            Track::Message => &self.store.message,
        }
    }
}

#[async_trait]
impl CredentialStore for View {
    async fn find(&self, client_id: &ClientId) -> Result<Option<StoredCredential>, StoreError> {
        self.credentials().find(client_id).await
    }

    async fn find_many(
        &self,
        client_ids: &[ClientId],
    ) -> Result<Vec<Option<Result<Credential, &'static str>>>, StoreError> {
        self.store.reads.fetch_add(1, Ordering::SeqCst);
        match self.store.mood.load(Ordering::SeqCst) {
            mood if mood == Mood::Away as u8 => return Err(StoreError::Unavailable("away".into())),
            mood if mood == Mood::Hangs as u8 => std::future::pending().await,
            _ => {}
        }
        let found = self.credentials().find_many(client_ids).await;
        let hook = self.store.hook.lock().unwrap().take();
        if let Some(hook) = hook {
            hook.await;
        }
        found
    }

    async fn write(&self, _: &ClientId, _: CredentialWrite) -> Result<WriteOutcome, StoreError> {
        panic!("a view is never written to")
    }

    async fn delete(&self, _: &ClientId) -> Result<bool, StoreError> {
        panic!("a view is never written to")
    }

    async fn forget_previous(&self, _: &ClientId) -> Result<bool, StoreError> {
        panic!("a view is never written to")
    }

    async fn list(&self, cursor: Option<&str>, limit: usize) -> Result<CredentialPage, StoreError> {
        self.credentials().list(cursor, limit).await
    }
}

/// The test's own time, for everybody.
struct TestClock(tokio::time::Instant);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

/// One peer, and what it holds.
pub(crate) struct Node {
    propagator: Propagator,
    management: Option<Arc<MemoryManagement>>,
    store: Arc<Store>,
}

/// What a dump holds of one client.
type Dumped = (CredentialKey, Option<Credential>, Option<Stamp>);

impl Node {
    pub(crate) fn propagator(&self) -> &Propagator {
        &self.propagator
    }

    pub(crate) fn record(&self, client: &str) -> Option<Credential> {
        Some(self.store.http.find_now(&key(client).client_id)?.credential)
    }

    pub(crate) fn hash(&self, client: &str) -> Option<String> {
        Some(self.record(client)?.secret_hash.expose().to_owned())
    }

    /// Everything goes: records, cursors, ledger.
    pub(crate) fn flush(&self) {
        for credentials in [&self.store.http, &self.store.message] {
            for (client_id, _) in credentials.list_now(None, usize::MAX).entries {
                credentials.delete_now(&client_id);
            }
        }
        let (http, message) = (self.store.http.clone(), self.store.message.clone());
        *self.store.inner.lock().unwrap() = Arc::new(MemoryPeerStore::new(http, message));
    }

    /// The store's server is started again, with what it held.
    pub(crate) fn restart(&self) {
        self.store.starts.fetch_add(1, Ordering::SeqCst);
    }

    /// Changes or makes a record behind everybody's back; the cursor stays.
    pub(crate) fn edit(&self, client: &str, change: CredentialChange) {
        let backup_ttl = Duration::from_secs(1);
        let write = CredentialWrite {
            change,
            condition: WriteCondition::Always,
            now_ms: 0,
            backup_ttl,
        };
        self.store.http.write_now(&key(client).client_id, &write);
    }

    /// Removes a record behind everybody's back; the cursor stays.
    pub(crate) fn edit_out(&self, client: &str) {
        assert!(self.store.http.delete_now(&key(client).client_id));
    }

    /// Keeps a copy of what is stored of clients, cursors included.
    pub(crate) async fn dump(&self, clients: &[&str]) -> Vec<Dumped> {
        let keys: Vec<_> = clients.iter().map(|client| key(client)).collect();
        let cursors = self.store.cursors(&keys).await.unwrap();
        let dumped = keys.into_iter().zip(cursors);
        dumped
            .map(|(key, cursor)| (key.clone(), self.record(key.client_id.as_str()), cursor))
            .collect()
    }

    /// Puts back what a dump holds, in place of everything.
    pub(crate) async fn restore(&self, dump: Vec<Dumped>) {
        self.flush();
        for (key, record, cursor) in dump {
            let record = record.unwrap();
            let change = CredentialChange {
                secret_hash: Some(record.secret_hash),
                expires_at: hmac_auth::credential::Change::Set(record.expires_at),
                allowed_ips: hmac_auth::credential::Change::Set(record.allowed_ips),
            };
            let operation = ApplyOperation::Write(change);
            let apply = Apply {
                key,
                stamp: cursor.unwrap(),
                operation,
                now_ms: 0,
            };
            assert!(matches!(
                self.store.apply(&[apply]).await[..],
                [Ok(Applied::Written)]
            ));
        }
    }

    pub(crate) fn view_is(&self, mood: Mood) {
        self.store.mood.store(mood as u8, Ordering::SeqCst);
    }

    pub(crate) fn reads(&self) -> u32 {
        self.store.reads.load(Ordering::SeqCst)
    }

    /// Runs `hook` after the next read of records, before whoever reads has the answer.
    pub(crate) fn during_the_next_read(&self, hook: Hook) {
        *self.store.hook.lock().unwrap() = Some(hook);
    }

    pub(crate) fn row(&self, client: &str, target: &str) -> DeliveryView {
        let mut rows = self.management.as_ref().unwrap().deliveries().into_iter();
        rows.find(|row| row.key == key(client) && row.target.as_str() == target)
            .unwrap()
    }

    /// Waits until every row of this source says success.
    pub(crate) async fn settled(&self) {
        let management = self.management.as_ref().unwrap();
        for _ in 0..1_000 {
            if management
                .deliveries()
                .iter()
                .all(|row| row.status == DeliveryStatus::Success)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not settled within 10 s: {:#?}", management.deliveries());
    }
}

pub(crate) struct World {
    pub(crate) source: Node,
    pub(crate) target: Node,
    bus: MemoryBus,
    clock: Arc<TestClock>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(Mood::Works)
    }

    /// The source cannot see the target's store.
    pub(crate) async fn start_without_view() -> Self {
        Self::start_with(Mood::Away)
    }

    fn start_with(view: Mood) -> Self {
        let (bus, clock) = (
            MemoryBus::new(),
            Arc::new(TestClock(tokio::time::Instant::now())),
        );
        let store = Store::new();
        let sources = ["source", "other"].map(|source| (name(source), secret_of(source)));
        let propagator = Propagator::builder(
            name("target"),
            secret_of("target"),
            Arc::new(MemoryBroker::connect(&bus)),
            store.clone(),
        )
        .sources(sources)
        .clock(clock.clone())
        .start();
        let target = Node {
            propagator,
            management: None,
            store,
        };
        target.view_is(view);
        let source = source(&bus, &clock, "source", &[&target]);
        Self {
            source,
            target,
            bus,
            clock,
        }
    }

    /// Starts another source beside the first, each of which may send to the other.
    pub(crate) async fn join(&mut self, peer: &str) -> Node {
        let known = self.source.management.as_ref().unwrap();
        known.put_target(name(peer), secret_of(peer));
        source(&self.bus, &self.clock, peer, &[&self.target])
    }

    pub(crate) async fn ensure(&self, ensure: Ensure) {
        self.source.propagator.ensure(ensure).await.unwrap();
    }

    pub(crate) async fn rotate(&self, client: &str, secret: &str) {
        self.source
            .propagator
            .rotate(Rotate::new(client, Secret::new(secret)))
            .await
            .unwrap();
    }

    pub(crate) async fn revoke(&self, client: &str) {
        self.source
            .propagator
            .revoke(Revoke::new(client).targets(["target"]))
            .await
            .unwrap();
    }

    pub(crate) async fn settled(&self) {
        self.source.settled().await;
    }

    /// Whether the target's store takes nothing.
    pub(crate) fn hold_deliveries(&self, hold: bool) {
        self.target.store.holds.store(hold, Ordering::SeqCst);
    }

    pub(crate) fn report(&self, peer: &str) -> DriftReport {
        let mut reports = self.source.propagator.drift().into_iter();
        reports.find(|report| report.peer.as_str() == peer).unwrap()
    }
}

fn source(bus: &MemoryBus, clock: &Arc<TestClock>, peer: &str, targets: &[&Node]) -> Node {
    let management = Arc::new(MemoryManagement::with_clock(clock.clone()));
    for target in ["source", "target"]
        .into_iter()
        .filter(|target| *target != peer)
    {
        management.put_target(name(target), secret_of(target));
    }
    let store = Store::new();
    let own = (name(peer), store.view());
    let views: BTreeMap<PeerName, StoreView> = targets
        .iter()
        .map(|target| (name("target"), target.store.view()))
        .chain([own])
        .collect();
    let propagator = Propagator::builder(
        name(peer),
        secret_of(peer),
        Arc::new(MemoryBroker::connect(bus)),
        store.clone(),
    )
    .management(management.clone())
    .views(views)
    .settings(Settings {
        page: PAGE,
        drift_interval: INTERVAL,
        ..Settings::default()
    })
    .clock(clock.clone())
    .start();
    Node {
        propagator,
        management: Some(management),
        store,
    }
}

fn name(text: &str) -> PeerName {
    PeerName::parse(text).unwrap()
}

fn secret_of(peer: &str) -> Secret {
    Secret::new(format!("propagation-secret-of-{peer}"))
}

pub(crate) fn key(client: &str) -> CredentialKey {
    CredentialKey {
        track: Track::Http,
        client_id: ClientId::parse(client).unwrap(),
    }
}

/// What a store holds for a secret.
pub(crate) fn hash(secret: &str) -> String {
    hash_of(secret).expose().to_owned()
}

pub(crate) fn hash_of(secret: &str) -> SecretHash {
    hash_client_secret(&Secret::new(secret), None)
}

/// An ensure for the target.
pub(crate) fn ensure(client: &str, secret: &str) -> Ensure {
    Ensure::new(client, Secret::new(secret)).targets(["target"])
}
