//! What happened long ago is forgotten: old transitions leave the audit, a few at a time.

use std::time::Duration;

use auth_base::clock::Clock;
use auth_base::error_chain::chain;
use hmac_propagation::management::ManagementError;
use hmac_propagation_sqlx::SqlManagement;
use peer_kit::shutdown::Stop;
use tokio::time::timeout;

/// How often old transitions are looked for.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Transitions that one statement deletes at most: a longer one would hold up changes.
const BATCH: usize = 1_000;

/// What changes get between two batches.
const PAUSE: Duration = Duration::from_millis(100);

/// Deletes transitions older than `retention`, now and every hour, until the peer is asked to stop.
pub(crate) async fn watch(
    store: &SqlManagement,
    retention: Duration,
    clock: &dyn Clock,
    stop: &Stop,
) {
    loop {
        let kept = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        match prune(store, clock.now_ms().saturating_sub(kept), stop).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "old transitions are deleted from the audit"),
            Err(error) => tracing::warn!(error = %chain(&error), "old transitions are not deleted"),
        }
        if timeout(EVERY, stop.asked()).await.is_ok() {
            return;
        }
    }
}

async fn prune(store: &SqlManagement, before_ms: i64, stop: &Stop) -> Result<u64, ManagementError> {
    let mut deleted = 0;
    loop {
        let batch = store.prune_audit(before_ms, BATCH).await?;
        deleted += batch;
        if batch == 0 || timeout(PAUSE, stop.asked()).await.is_ok() {
            return Ok(deleted);
        }
    }
}

#[cfg(test)]
mod tests {
    use auth_base::clock::ManualClock;
    use auth_base::secret::Secret;
    use hmac_auth::credential::{Change, ClientId};
    use hmac_auth::secret_hash::hash_client_secret;
    use hmac_propagation::management::{ChangeOperation, ChangeRequest, Management};
    use hmac_propagation::origin::Origin;
    use hmac_propagation::peer_store::{CredentialKey, Track};
    use hmac_propagation_sqlx::{SecretsKey, SqlOptions};

    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1_000;

    #[tokio::test]
    async fn only_what_is_older_than_the_retention_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("a.sqlite").display());
        let store = SqlManagement::connect(&url, SecretsKey::new([7; 32]), SqlOptions::default())
            .await
            .unwrap();
        let key = CredentialKey {
            track: Track::Http,
            client_id: ClientId::parse("c").unwrap(),
        };
        let secret = Secret::new("a-secret-of-a-client-1");
        let ensure = |now_ms| ChangeRequest {
            key: key.clone(),
            operation: ChangeOperation::Ensure {
                secret_hash: hash_client_secret(&secret, None),
                allowed_ips: Change::Keep,
                expires_at: Change::Keep,
            },
            targets: Vec::new(),
            now_ms,
            floor_ts: None,
            origin: Origin::default(),
        };
        for _ in 0..BATCH + 2 {
            store
                .upsert_credential_with_targets(&ensure(1))
                .await
                .unwrap();
        }
        store
            .upsert_credential_with_targets(&ensure(5 * DAY))
            .await
            .unwrap();
        let stop = Stop::default();
        let (clock, retention) = (
            ManualClock::new(90 * DAY + 2),
            Duration::from_secs(90 * 24 * 60 * 60),
        );
        let mut watching = std::pin::pin!(watch(&store, retention, &clock, &stop));
        let one_left = async {
            while store.history(&key, None, 2).await.unwrap().len() > 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = &mut watching => panic!("it goes on until it is stopped"),
            left = timeout(Duration::from_secs(20), one_left) => left.unwrap(),
        }
        assert_eq!(
            store.history(&key, None, 2).await.unwrap()[0].at_ms,
            5 * DAY
        );
        stop.ask();
        timeout(Duration::from_secs(5), watching).await.unwrap();
    }
}
