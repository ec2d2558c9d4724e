//! A broker that takes messages and says nothing: nobody waits for it longer than the bound, however many wait at once.

use std::sync::Arc;

use async_trait::async_trait;
use auth_base::secret::Secret;
use futures_util::future::join_all;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_propagation::broker::{
    Broker, BrokerError, BrokerStatus, OutboundMessage, PublishError, Subscription,
};
use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore};
use hmac_propagation::options::{Ensure, Settings};
use hmac_propagation::origin::Origin;
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use tokio::sync::watch;
use tokio::time::Instant;

struct Silent(MemoryBroker);

#[async_trait]
impl Broker for Silent {
    async fn declare(&self, peer: &PeerName) -> Result<(), BrokerError> {
        self.0.declare(peer).await
    }

    async fn publish(&self, _messages: Vec<OutboundMessage>) -> Vec<Result<(), PublishError>> {
        std::future::pending().await
    }

    async fn subscribe(
        &self,
        peer: &PeerName,
        prefetch: u16,
    ) -> Result<Box<dyn Subscription>, BrokerError> {
        self.0.subscribe(peer, prefetch).await
    }

    fn status(&self) -> watch::Receiver<BrokerStatus> {
        self.0.status()
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn many_syncs_at_once_end_in_time() {
    let management = Arc::new(MemoryManagement::new());
    let target = PeerName::parse("target").unwrap();
    management.put_target(target, Secret::new("the secret of the target"));
    let store = MemoryPeerStore::new(MemoryCredentialStore::new(), MemoryCredentialStore::new());
    let broker = Arc::new(Silent(MemoryBroker::connect(&MemoryBus::new())));
    let name = PeerName::parse("source").unwrap();
    let settings = Settings {
        sync_on_change: false,
        ..Settings::default()
    };
    let bound = settings.store_timeout + settings.broker_timeout;
    let source = Propagator::builder(
        name,
        Secret::new("the secret of the source"),
        broker,
        Arc::new(store),
    )
    .management(management)
    .settings(settings)
    .start();
    for number in 0..8 {
        let ensure = Ensure::new(
            format!("client-{number}"),
            Secret::new("a secret of a client"),
        );
        source.ensure(ensure.targets(["target"])).await.unwrap();
    }
    let started = Instant::now();
    let nobody = Origin::default();
    let outcomes = join_all((0..8).map(|_| source.sync(&nobody))).await;
    let took = started.elapsed();
    assert!(took <= bound, "the last of 8 syncs took {took:?}");
    assert!(outcomes.iter().all(
        |outcome| outcome.as_ref().is_ok_and(|it| it.targets_published == 0)
            || outcome.as_ref().is_err_and(|error| error.is_unavailable())
    ));
}
