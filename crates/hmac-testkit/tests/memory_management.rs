//! The suite of the management store over the one in memory.

use std::sync::Arc;

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_propagation::management::Management;
use hmac_propagation::memory::management::{MemoryManagement, PivotStatus};
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use hmac_testkit::management::{Inspect, ObservedRow, Source, Status};

#[tokio::test]
async fn memory_manages_as_the_contract_says() {
    hmac_testkit::management::suite(async || {
        let memory = Arc::new(MemoryManagement::new());
        let management: Arc<dyn Management> = memory.clone();
        Source {
            managements: [management.clone(), management],
            inspect: Arc::new(Rows(memory)),
        }
    })
    .await;
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
        let row = self
            .0
            .pivots()
            .into_iter()
            .find(|row| row.key == *key && row.target == *target)?;
        let status = match row.status {
            PivotStatus::Pending => Status::Pending,
            PivotStatus::Sent => Status::Sent,
            PivotStatus::Success => Status::Success,
            PivotStatus::Error => Status::Error,
        };
        Some(ObservedRow {
            status,
            reason: row.reason,
            attempts: row.attempts,
        })
    }

    async fn holds_plain(&self, key: &CredentialKey) -> bool {
        self.0.holds_plain(key)
    }
}
