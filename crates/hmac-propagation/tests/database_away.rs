//! A full-mode peer whose database is away: what others send is applied and answered, however much; what must wait for the
//! database stands before nobody.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_auth::credential::ClientId;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::management::{
    Accepted, AckMark, ChangeRequest, FullyPropagated, LocalChange, Management, ManagementError,
    PendingPropagation, PendingQuery, Reopening, ResyncQuery, ResyncRow, Rotation, SentMark,
    SettledQuery, SettledRow,
};
use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore};
use hmac_propagation::options::{Ensure, Revoke};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use tokio::time::{Instant, sleep};

const WORKS: u8 = 0;
const AWAY: u8 = 1;
const HANGS: u8 = 2;

/// How long a database waits for a row that somebody has locked.
const LOCK_WAIT: Duration = Duration::from_secs(3);

/// A database that fails as told.
#[derive(Default)]
struct Failing {
    inner: MemoryManagement,
    mood: AtomicU8,
    /// How often secrets were read.
    reads: AtomicU32,
    /// Clients whose rows somebody has locked.
    locked: Mutex<HashSet<String>>,
}

impl Failing {
    async fn reach(&self) -> Result<&MemoryManagement, ManagementError> {
        match self.mood.load(Ordering::SeqCst) {
            AWAY => Err(ManagementError::Unavailable("away".into())),
            HANGS => std::future::pending().await,
            _ => Ok(&self.inner),
        }
    }
}

macro_rules! reached {
    ($(fn $call:ident($($name:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Management for Failing {
            $(
                async fn $call(&self, $($name: $type),*) -> Result<$answer, ManagementError> {
                    self.reach().await?.$call($($name),*).await
                }
            )*

            async fn fetch_source_propagation_secrets(
                &self,
                sources: &[PeerName],
            ) -> Result<Vec<Option<Secret>>, ManagementError> {
                self.reads.fetch_add(1, Ordering::SeqCst);
                self.reach().await?.fetch_source_propagation_secrets(sources).await
            }

            async fn mark_targets_acknowledged(&self, marks: &[AckMark]) -> Result<(), ManagementError> {
                let is_locked = |mark: &AckMark| {
                    self.locked.lock().unwrap().contains(mark.key.client_id.as_str())
                };
                if marks.iter().any(is_locked) {
                    sleep(LOCK_WAIT).await;
                    return Err(ManagementError::Unavailable("lock wait timeout".into()));
                }
                self.reach().await?.mark_targets_acknowledged(marks).await
            }
        }
    };
}

reached! {
    fn upsert_credential_with_targets(request: &ChangeRequest) -> Accepted;
    fn rotate_credential_secret(rotation: &Rotation) -> Accepted;
    fn fetch_pending_propagations(query: &PendingQuery) -> Vec<PendingPropagation>;
    fn fetch_source_propagation_secret(source: &PeerName) -> Option<Secret>;
    fn mark_target_sent(mark: &SentMark) -> ();
    fn mark_target_success(mark: &AckMark) -> ();
    fn mark_target_error(mark: &AckMark) -> ();
    fn mark_credential_fully_propagated(mark: &FullyPropagated) -> ();
    fn resync_rows(query: &ResyncQuery) -> Vec<ResyncRow>;
    fn rebook(rows: &[ResyncRow], now_ms: i64, floor_ts: Option<i64>, origin: &Origin) -> ();
    fn settled_rows(query: &SettledQuery) -> Vec<SettledRow>;
    fn reopen(rows: &[Reopening], now_ms: i64) -> u64;
    fn settled_changes(after: Option<&CredentialKey>, limit: usize) -> Vec<SettledRow>;
    fn unapplied_changes(limit: usize) -> Vec<LocalChange>;
    fn mark_locally_applied(applied: &[(CredentialKey, u64)]) -> ();
}

/// A full-mode peer.
struct Peer {
    name: &'static str,
    database: Arc<Failing>,
    credentials: MemoryCredentialStore,
    propagator: Propagator,
}

fn name(text: &str) -> PeerName {
    PeerName::parse(text).unwrap()
}

fn secret(peer: &str) -> Secret {
    Secret::new(format!("propagation-secret-of-{peer}"))
}

/// Full-mode peers that all know each other.
fn mesh<const N: usize>(names: [&'static str; N]) -> [Peer; N] {
    let bus = MemoryBus::new();
    names.map(|own| {
        let database = Arc::new(Failing::default());
        for peer in names {
            database.inner.put_target(name(peer), secret(peer));
        }
        let credentials = MemoryCredentialStore::new();
        let store = MemoryPeerStore::new(credentials.clone(), MemoryCredentialStore::new());
        let broker = Arc::new(MemoryBroker::connect(&bus));
        let propagator = Propagator::builder(name(own), secret(own), broker, Arc::new(store))
            .management(database.clone())
            .start();
        Peer {
            name: own,
            database,
            credentials,
            propagator,
        }
    })
}

impl Peer {
    async fn ensure(&self, clients: impl Iterator<Item = String>, target: &Peer) {
        let ensure = |client| {
            Ensure::new(client, Secret::new("a-secret-of-a-client")).targets([target.name])
        };
        for ensured in self
            .propagator
            .ensure_batch(clients.map(ensure).collect())
            .await
        {
            ensured.unwrap();
        }
    }

    fn holds(&self, client: &str) -> bool {
        self.credentials
            .find_now(&ClientId::parse(client).unwrap())
            .is_some()
    }

    fn clients(&self, n: usize) -> impl Iterator<Item = String> + use<> {
        let name = self.name;
        (0..n).map(move |i| format!("{name}-{i}"))
    }

    /// How many rows are not done.
    fn open(&self) -> usize {
        let rows = self.database.inner.deliveries();
        let open = rows
            .iter()
            .filter(|row| row.status != DeliveryStatus::Success);
        open.count()
    }
}

/// Waits, and says how long it took.
async fn until(what: &str, within: Duration, condition: impl Fn() -> bool) -> Duration {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < within, "{what}: not within {within:?}");
        sleep(Duration::from_millis(10)).await;
    }
    since.elapsed()
}

/// Three senders with more than the prefetch lets in, acknowledgements that cannot be booked, and a revocation last of all.
#[tokio::test(start_paused = true)]
async fn a_peer_without_its_database_applies_and_answers_however_much() {
    for mood in [AWAY, HANGS] {
        let [peer, one, two, three] = mesh(["peer", "one", "two", "three"]);
        let senders = [&one, &two, &three];
        for sender in senders {
            sender.ensure(sender.clients(1), &peer).await;
        }
        let soon = Duration::from_secs(5);
        until("the first are done", soon, || {
            senders.iter().all(|it| it.open() == 0)
        })
        .await;
        sleep(Duration::from_secs(3)).await;

        // What the peer sent itself is answered when it has no database any more.
        peer.ensure(peer.clients(2_000), &one).await;
        until("all is sent", soon, || one.holds("peer-1999")).await;
        peer.database.mood.store(mood, Ordering::SeqCst);
        for sender in senders {
            sender.ensure(sender.clients(1_000), &peer).await;
        }
        one.propagator
            .revoke(Revoke::new("two-0").targets(["peer"]))
            .await
            .unwrap();
        let all = || {
            senders
                .iter()
                .all(|it| it.clients(1_000).skip(1).all(|client| peer.holds(&client)))
        };
        until("all is applied", soon, all).await;
        until("the revocation is applied", soon, || !peer.holds("two-0")).await;
        until("all is answered", Duration::from_secs(30), || {
            senders.iter().all(|it| it.open() == 0)
        })
        .await;

        peer.database.mood.store(WORKS, Ordering::SeqCst);
        until("what waited is booked", Duration::from_secs(90), || {
            peer.open() == 0
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_of_all_senders_are_read_at_once() {
    let [peer, one, two, three] = mesh(["peer", "one", "two", "three"]);
    for sender in [&one, &two, &three] {
        sender.ensure(sender.clients(1), &peer).await;
    }
    sleep(Duration::from_secs(2)).await;
    assert_eq!(one.open() + two.open() + three.open(), 0);
    let reads = peer.database.reads.load(Ordering::SeqCst);
    assert!(reads <= 2, "{reads} reads for three senders");
}

/// A row that somebody keeps locked holds up itself alone.
#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_cannot_be_booked_slows_no_other() {
    let [source, target] = mesh(["source", "target"]);
    source
        .database
        .locked
        .lock()
        .unwrap()
        .insert("source-0".to_owned());
    source.ensure(source.clients(1), &target).await;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(source.open(), 1);
    for i in 1..30 {
        let client = format!("source-{i}");
        source.ensure([client].into_iter(), &target).await;
        let took = until("another is booked", LOCK_WAIT, || source.open() == 1).await;
        assert!(took < Duration::from_secs(1), "took {took:?}");
        sleep(Duration::from_millis(500)).await;
    }
    source.database.locked.lock().unwrap().clear();
    until("the row is booked", Duration::from_secs(90), || {
        source.open() == 0
    })
    .await;
}
