//! The suite of the contract, over real databases.

use std::sync::Arc;

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_propagation::management::Management;
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use hmac_propagation_sqlx::SqlManagement;
use hmac_testkit::management::{Inspect, NOW, ObservedRow, ObservedStep, Source};

use crate::databases::{Databases, connect, execute};

hmac_testkit::management_cases!(mariadb, source(Databases::mariadb().await).await);
hmac_testkit::management_cases!(sqlite, source(Databases::sqlite()).await);

/// Two pools on one fresh database, migrated at once.
async fn source(databases: Databases) -> Source {
    let url = databases.fresh().await;
    let (one, two) = tokio::join!(connect(&url), connect(&url));
    let managements = [
        one.clone() as Arc<dyn Management>,
        two as Arc<dyn Management>,
    ];
    Source {
        managements,
        inspect: Arc::new(Rows {
            management: one,
            url,
            _databases: databases,
        }),
    }
}

struct Rows {
    management: Arc<SqlManagement>,
    url: String,
    /// Stops them, once the case is over.
    _databases: Databases,
}

#[async_trait]
impl Inspect for Rows {
    async fn put_target(&self, target: &PeerName, propagation_secret: &Secret) {
        self.management
            .upsert_target(target, propagation_secret, None, NOW, &Origin::default())
            .await
            .unwrap();
    }

    async fn break_target(&self, target: &PeerName) {
        let sql = format!(
            "UPDATE hmac_propagation_target SET propagation_secret = 'damaged' WHERE target_amqp_queue = '{target}'"
        );
        execute(&self.url, &sql).await;
    }

    /// Moves the leases instead: nothing else is by the database's clock.
    async fn pass(&self, ms: i64) {
        let sql = format!("UPDATE hmac_credential_target SET lease_until = lease_until - ({ms})");
        execute(&self.url, &sql).await;
    }

    async fn row(&self, key: &CredentialKey, target: &PeerName) -> Option<ObservedRow> {
        let mut cursor = None;
        loop {
            let page = self.management.state(cursor.as_deref(), 500).await.unwrap();
            let found = page.deliveries.into_iter().find(|row| {
                row.track == key.track.as_str()
                    && row.client_id == key.client_id.as_str()
                    && row.target_amqp_queue == target.as_str()
            });
            if let Some(row) = found {
                let attempts = u32::try_from(row.attempt_count).unwrap();
                return Some(ObservedRow {
                    status: row.status,
                    reason: row.reason,
                    attempts,
                });
            }
            cursor = Some(page.next?);
        }
    }

    async fn steps(&self, key: &CredentialKey) -> Vec<ObservedStep> {
        let history = self.management.history(key, None, 1_000).await.unwrap();
        let steps = history.into_iter().rev().map(|entry| ObservedStep {
            target: entry.target_amqp_queue,
            transition: entry.transition,
            actor: entry.actor,
            request_id: entry.request_id,
        });
        steps.collect()
    }
}
