//! Two sources that change one client: what is later wins, however long it takes, and what falls into one millisecond ends
//! alike everywhere.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::{Clock, ManualClock};
use auth_base::secret::Secret;
use hmac_auth::credential::ClientId;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore};
use hmac_propagation::options::{Ensure, Revoke, Settings};
use hmac_propagation::peer_store::PeerStore;
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use tokio::time::{Instant, sleep};

const NAMES: [&str; 4] = ["authority", "leptos-axum", "consumer", "other"];
const NOW: i64 = 1_700_000_000_000;

struct Peer {
    propagator: Propagator,
    credentials: MemoryCredentialStore,
    management: Option<Arc<MemoryManagement>>,
}

impl Peer {
    fn hash(&self, client: &str) -> Option<String> {
        let stored = self
            .credentials
            .find_now(&ClientId::parse(client).unwrap())?;
        Some(stored.credential.secret_hash.expose().to_owned())
    }
}

/// The clock of tokio's own time, which the test holds.
struct Running(Instant);

impl Clock for Running {
    fn now_ms(&self) -> i64 {
        NOW + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

/// Two sources and two targets, whose acknowledgements count only at the sources that they know.
fn mesh(clock: &Arc<dyn Clock>, settings: &Settings, known: &'static [&'static str]) -> Vec<Peer> {
    let bus = MemoryBus::new();
    let name = |name: &str| PeerName::parse(name).unwrap();
    let secret = |name: &str| Secret::new(format!("entry secret of {name}"));
    let peer = |own: &&str| {
        let (http, message) = (MemoryCredentialStore::new(), MemoryCredentialStore::new());
        let store: Arc<dyn PeerStore> = Arc::new(MemoryPeerStore::new(http.clone(), message));
        let broker = Arc::new(MemoryBroker::connect(&bus));
        let mut builder = Propagator::builder(name(own), secret(own), broker, store)
            .settings(settings.clone())
            .clock(Arc::clone(clock));
        let management = NAMES[..2]
            .contains(own)
            .then(|| Arc::new(MemoryManagement::with_clock(Arc::clone(clock))));
        if let Some(management) = &management {
            for other in NAMES.iter().filter(|other| *other != own) {
                management.put_target(name(other), secret(other));
            }
            builder = builder.management(management.clone());
        } else {
            builder = builder.sources(known.iter().map(|it| (name(it), secret(it))));
        }
        Peer {
            propagator: builder.start(),
            credentials: http,
            management,
        }
    };
    NAMES.iter().map(peer).collect()
}

/// The row stays `sent` (a documented mode), and is sent again each minute for three weeks.
#[tokio::test(start_paused = true)]
async fn a_retry_overtakes_no_later_change() {
    let clock: Arc<dyn Clock> = Arc::new(Running(Instant::now()));
    let settings = Settings {
        sync_interval: Duration::from_secs(60),
        ..Settings::default()
    };
    let peers = mesh(&clock, &settings, &["leptos-axum"]);
    let ensure = Ensure::new("client", Secret::new("the secret of a client")).targets(["consumer"]);
    peers[0].propagator.ensure(ensure).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    assert!(peers[2].hash("client").is_some());
    let revoke = Revoke::new("client").targets(["consumer"]);
    peers[1].propagator.revoke(revoke).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(peers[2].hash("client"), None);
    for day in 0..21 {
        sleep(Duration::from_secs(24 * 3_600)).await;
        assert_eq!(peers[2].hash("client"), None, "day {day}");
    }
    let rows = peers[0].management.as_ref().unwrap().deliveries();
    assert_eq!(rows[0].status, DeliveryStatus::Sent);
    assert!(rows[0].attempts > 30_000, "{rows:?}");
}

/// At the targets and at both sources.
#[tokio::test(start_paused = true)]
async fn two_changes_in_one_millisecond_end_alike() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
    let peers = mesh(&clock, &Settings::default(), &["authority", "leptos-axum"]);
    let clients: Vec<String> = (0..200).map(|n| format!("client-{n}")).collect();
    let change = |source: usize| {
        let clients = clients.iter().map(move |client| {
            let secret = Secret::new(format!("the secret of {}", NAMES[source]));
            let others = NAMES.iter().filter(move |name| **name != NAMES[source]);
            Ensure::new(client, secret).targets(others.copied())
        });
        peers[source].propagator.ensure_batch(clients.collect())
    };
    let (one, two) = tokio::join!(change(0), change(1));
    assert!(one.iter().chain(&two).all(Result::is_ok));
    let is_done = |peer: &Peer| {
        let rows = peer.management.iter().flat_map(|it| it.deliveries());
        rows.into_iter()
            .all(|row| row.status == DeliveryStatus::Success)
    };
    while !peers.iter().all(is_done) {
        sleep(Duration::from_millis(10)).await;
    }
    for client in &clients {
        let hashes: Vec<_> = peers.iter().map(|peer| peer.hash(client)).collect();
        assert!(
            hashes.iter().all(|hash| *hash == hashes[0]),
            "{client}: {hashes:?}"
        );
    }
}
