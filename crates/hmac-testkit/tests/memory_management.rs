//! The suite of the management store over the one in memory.

use std::sync::Arc;

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_propagation::management::Management;
use hmac_propagation::memory::MemoryManagement;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use hmac_testkit::management::{Inspect, ObservedRow, Source};

hmac_testkit::management_cases!(memory, source());

fn source() -> Source {
    let memory = Arc::new(MemoryManagement::new());
    let management: Arc<dyn Management> = memory.clone();
    Source {
        managements: [management.clone(), management],
        inspect: Arc::new(Rows(memory)),
    }
}

struct Rows(Arc<MemoryManagement>);

#[async_trait]
impl Inspect for Rows {
    async fn put_target(&self, target: &PeerName, propagation_secret: &Secret) {
        self.0
            .put_target(target.clone(), propagation_secret.clone());
    }

    async fn break_target(&self, target: &PeerName) {
        self.0.remove_target(target);
    }

    async fn row(&self, key: &CredentialKey, target: &PeerName) -> Option<ObservedRow> {
        let row = self.0.delivery(key, target)?;
        Some(ObservedRow {
            status: row.status,
            reason: row.reason,
            attempts: row.attempts,
        })
    }
}
