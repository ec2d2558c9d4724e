//! Everybody at once: changes, claims, marks, acks and rebookings from two replicas on the same few rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use auth_base::secret::Secret;
use futures_util::future::join_all;
use hmac_auth::credential::Change;
use hmac_auth::secret_hash::hash_client_secret;
use hmac_propagation::management::{
    AckMark, ChangeOperation, ChangeRequest, Management, PendingPropagation, PendingQuery,
    ResyncQuery, ResyncScope, Rotation, SentMark,
};
use hmac_propagation::origin::Origin;
use hmac_propagation_sqlx::SqlManagement;
use hmac_testkit::management::NOW;

use crate::databases::{Databases, connect, key, peer};

const CLIENTS: usize = 12;
const ROUNDS: usize = 25;
static CLOCK: AtomicI64 = AtomicI64::new(NOW);
static EVENTS: AtomicU64 = AtomicU64::new(0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_bears_everybody_at_once() {
    everybody_at_once(Databases::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_bears_everybody_at_once() {
    everybody_at_once(Databases::sqlite()).await;
}

/// No call fails, and in the end every row is done.
async fn everybody_at_once(databases: Databases) {
    let url = databases.fresh().await;
    let replicas = [connect(&url).await, connect(&url).await];
    for target in ["a", "b", "c"] {
        replicas[0]
            .seed_target(&peer(target), &Secret::new("a-secret"), false, None, NOW)
            .await
            .unwrap();
    }
    let tasks = (0..8).map(|n| {
        let replica = replicas[n % 2].clone();
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                match n {
                    0..4 => change(&replica, n, round).await,
                    7 => rebook(&replica).await,
                    _ => drop(sync(&replica).await),
                }
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    for _ in 0..20 {
        // Past every lease and every resend.
        CLOCK.fetch_add(1_000_000, Ordering::Relaxed);
        if sync(&replicas[0]).await.is_empty() {
            break;
        }
    }
    let counts = replicas[0].counts().await.unwrap();
    assert_eq!((counts.pending, counts.sent, counts.error), (0, 0, 0));
    assert!(counts.success > 0);
}

fn now() -> i64 {
    CLOCK.fetch_add(1, Ordering::Relaxed)
}

async fn change(replica: &Arc<SqlManagement>, task: usize, round: usize) {
    let client = key(&format!("client-{}", (task * 5 + round) % CLIENTS));
    let secret = Secret::new(format!("secret-{task}-{round}"));
    let secret_hash = hash_client_secret(&secret, None);
    let now_ms = now();
    let ensure = |key, targets: &[&str]| ChangeRequest {
        key,
        operation: ChangeOperation::Ensure {
            secret_hash: secret_hash.clone(),
            allowed_ips: Change::Keep,
            expires_at: Change::Keep,
        },
        targets: targets.iter().map(|name| peer(name)).collect(),
        now_ms,
        floor_ts: None,
        origin: Origin::default(),
    };
    match (task + round) % 4 {
        0 => drop(
            replica
                .upsert_credential_with_targets(&ensure(client, &["a", "b"]))
                .await
                .unwrap(),
        ),
        1 => {
            let all = (0..CLIENTS)
                .rev()
                .map(|n| ensure(key(&format!("client-{n}")), &["c", "a"]));
            for result in replica
                .upsert_credentials_with_targets(&all.collect::<Vec<_>>())
                .await
            {
                result.unwrap();
            }
        }
        2 => {
            let rotation = Rotation {
                key: client,
                secret_hash,
                now_ms,
                floor_ts: None,
                origin: Origin::default(),
            };
            // Unknown where it was just revoked.
            drop(replica.rotate_credential_secret(&rotation).await);
        }
        _ => {
            let operation = ChangeOperation::Revoke;
            let revoke = ChangeRequest {
                key: client,
                operation,
                targets: vec![peer("b")],
                now_ms,
                floor_ts: None,
                origin: Origin::default(),
            };
            replica
                .upsert_credential_with_targets(&revoke)
                .await
                .unwrap();
        }
    }
}

async fn sync(replica: &Arc<SqlManagement>) -> Vec<PendingPropagation> {
    let now_ms = now();
    let random = |_| u128::from(EVENTS.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
    let query = PendingQuery {
        now_ms,
        resend_after_ms: 1_000,
        overdue: true,
        lease_ms: 500_000,
        limit: 40,
        source: peer("authority"),
        randoms: (0..40).map(random).collect(),
        origin: Origin::default(),
    };
    let mut rows = replica.fetch_pending_propagations(&query).await.unwrap();
    let claimed = rows.clone();
    // Acks come in another order than the claim's.
    rows.reverse();
    let sent = |row: &PendingPropagation| SentMark {
        key: row.key.clone(),
        target: row.target.clone(),
        generation: row.generation,
        event_id: row.event_id.clone(),
        at_ms: now_ms,
        outcome: Ok(()),
    };
    let acknowledged = |row: &PendingPropagation| AckMark {
        key: row.key.clone(),
        target: peer(&row.target),
        generation: row.generation,
        event_id: row.event_id.clone(),
        sent_at: now_ms,
        at_ms: now_ms,
        outcome: Ok(()),
    };
    let (sent, acks): (Vec<_>, Vec<_>) = rows
        .iter()
        .map(|row| (sent(row), acknowledged(row)))
        .unzip();
    let (marked, acked) = tokio::join!(
        replica.mark_targets_sent(&sent),
        replica.mark_targets_acknowledged(&acks)
    );
    marked.unwrap();
    acked.unwrap();
    claimed
}

async fn rebook(replica: &Arc<SqlManagement>) {
    let scope = ResyncScope::Target(peer("a"));
    let query = ResyncQuery {
        scope,
        now_ms: now(),
        limit: 5,
        after: None,
    };
    let rows = replica.resync_rows(&query).await.unwrap();
    replica
        .rebook(&rows, now(), None, &Origin::default())
        .await
        .unwrap();
}
