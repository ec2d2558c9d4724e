//! The suite of the management store over the one in memory.

use std::sync::Arc;

use async_trait::async_trait;
use auth_base::clock::ManualClock;
use auth_base::secret::Secret;
use hmac_propagation::management::Management;
use hmac_propagation::memory::MemoryManagement;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use hmac_testkit::management::{Inspect, ObservedRow, ObservedStep, Source};

hmac_testkit::management_cases!(memory, source());

fn source() -> Source {
    let clock = Arc::new(ManualClock::new(0));
    let memory = Arc::new(MemoryManagement::with_clock(clock.clone()));
    let management: Arc<dyn Management> = memory.clone();
    Source {
        managements: [management.clone(), management],
        inspect: Arc::new(Rows { memory, clock }),
    }
}

struct Rows {
    memory: Arc<MemoryManagement>,
    clock: Arc<ManualClock>,
}

#[async_trait]
impl Inspect for Rows {
    async fn put_target(&self, target: &PeerName, propagation_secret: &Secret) {
        self.memory
            .put_target(target.clone(), propagation_secret.clone());
    }

    async fn break_target(&self, target: &PeerName) {
        self.memory.remove_target(target);
    }

    async fn pass(&self, ms: i64) {
        self.clock.advance(ms);
    }

    async fn row(&self, key: &CredentialKey, target: &PeerName) -> Option<ObservedRow> {
        let row = self.memory.delivery(key, target)?;
        Some(ObservedRow {
            status: row.status,
            reason: row.reason,
            attempts: row.attempts,
        })
    }

    async fn steps(&self, key: &CredentialKey) -> Vec<ObservedStep> {
        let history = self.memory.history(key).into_iter();
        let steps = history.map(|entry| ObservedStep {
            target: entry.target.map(|target| target.to_string()),
            transition: entry.transition.as_str().to_owned(),
            actor: entry.origin.actor().map(str::to_owned),
            request_id: entry.origin.request_id().map(str::to_owned),
        });
        steps.collect()
    }
}
