//! The operator's side of targets.

use auth_base::secret::Secret;
use hmac_propagation::management::{
    AckMark, ChangeOperation, ChangeRequest, Management, PendingQuery, Reopening,
};
use hmac_propagation::origin::Origin;
use hmac_propagation_sqlx::inventory::{InventoryError, TargetUpserted};
use hmac_testkit::management::{LEASE, NOW, RESEND_AFTER};

use crate::databases::{Databases, connect, key, peer, texts};

/// `CONCAT` is not in every SQLite.
const TARGETS_IN_THE_AUDIT: &str = "SELECT REPLACE(REPLACE(REPLACE(REPLACE('T O A R', 'R', COALESCE(request_id, '-')), \
     'A', COALESCE(actor, '-')), 'O', target_amqp_queue), 'T', transition) \
     FROM hmac_credential_target_audit WHERE client_id = '' AND track = '' ORDER BY id";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_keeps_an_inventory() {
    keeps_an_inventory(Databases::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_an_inventory() {
    keeps_an_inventory(Databases::sqlite()).await;
}

async fn keeps_an_inventory(databases: Databases) {
    let url = databases.fresh().await;
    let management = connect(&url).await;
    let secret = Secret::new("a-secret");
    let (own, other) = (peer("own"), peer("other"));
    let ada = Origin::of("ada@example.org").in_request(Some("r-1"));
    let nobody = Origin::default();
    management
        .seed_target(&own, &secret, true, None, NOW)
        .await
        .unwrap();
    management
        .seed_target(&own, &secret, true, None, NOW + 1)
        .await
        .unwrap();
    assert!(matches!(
        management
            .upsert_target(&own, &secret, None, NOW, &ada)
            .await,
        Err(InventoryError::SelfTarget { .. })
    ));
    assert!(matches!(
        management.delete_target("own", NOW, &ada).await,
        Err(InventoryError::SelfTarget { .. })
    ));
    assert!(matches!(
        management.delete_target("none", NOW, &ada).await,
        Err(InventoryError::UnknownTarget { .. })
    ));

    let upsert = async |note: Option<&'static str>, at| {
        management
            .upsert_target(&other, &secret, note, at, &ada)
            .await
    };
    assert_eq!(
        upsert(Some("first"), NOW).await.unwrap(),
        TargetUpserted::Created
    );
    assert_eq!(
        upsert(None, NOW + 5).await.unwrap(),
        TargetUpserted::Updated
    );
    let targets = management.targets().await.unwrap();
    assert_eq!(targets.len(), 2);
    assert_eq!(targets[0].target_amqp_queue, "other");
    assert_eq!(targets[0].note.as_deref(), Some("first"));
    assert_eq!(
        (targets[0].created_at, targets[0].updated_at),
        (NOW, NOW + 5)
    );
    assert!(targets[1].is_self && !targets[0].is_self);

    // Booked: refused, with how many and whom.
    let revoke = |client: &str, now_ms| ChangeRequest {
        key: key(client),
        operation: ChangeOperation::Revoke,
        targets: vec![peer("other")],
        now_ms,
        floor_ts: None,
        origin: Origin::default(),
    };
    for client in ["one", "two"] {
        management
            .upsert_credential_with_targets(&revoke(client, NOW))
            .await
            .unwrap();
    }
    match management.delete_target("other", NOW, &ada).await {
        Err(InventoryError::TargetInUse {
            target,
            count,
            clients,
        }) => {
            assert_eq!((target.as_str(), count), ("other", 2));
            assert_eq!(clients, ["http/one", "http/two"]);
        }
        answer => panic!("not refused: {answer:?}"),
    }
    assert_eq!(management.targets().await.unwrap()[0].booked_clients, 2);

    // The deletions arrived: the target may go, and their rows with it; the next ts is newer all the same.
    let mut last = 0;
    for attempt in 0..3 {
        let at = NOW + i64::from(attempt) * LEASE;
        let query = PendingQuery {
            now_ms: at,
            resend_after_ms: RESEND_AFTER,
            overdue: true,
            lease_ms: LEASE,
            limit: 10,
            source: peer("authority"),
            randoms: (0..10).map(|n| [10 * attempt + n; 16]).collect(),
            origin: Origin::default(),
        };
        for row in management.fetch_pending_propagations(&query).await.unwrap() {
            last = row.ts;
            let mark = AckMark {
                key: row.key.clone(),
                target: peer("other"),
                generation: row.generation,
                event_id: row.event_id,
                sent_at: at,
                at_ms: at,
                outcome: Ok(()),
            };
            management.mark_target_success(&mark).await.unwrap();
            // What the target loses is sent again, each time newer; but for the last time.
            let lost = Reopening {
                key: row.key,
                target: peer("other"),
                generation: row.generation,
                reason: "lost".to_owned(),
            };
            if attempt < 2 {
                management.reopen(&[lost], at).await.unwrap();
            }
        }
    }
    assert_eq!(last, NOW + 2);
    management
        .delete_target("other", NOW + 9, &nobody)
        .await
        .unwrap();
    assert!(
        texts(&url, "SELECT client_id FROM hmac_credential_target")
            .await
            .is_empty()
    );
    assert_eq!(management.targets().await.unwrap().len(), 1);
    management
        .upsert_target(&other, &secret, None, NOW, &nobody)
        .await
        .unwrap();
    let again = management
        .upsert_credential_with_targets(&revoke("one", NOW))
        .await
        .unwrap();
    assert_eq!(again.change_ts, last + 1);

    // What was done to the inventory stands in the audit; what was refused and what the configuration did, does not.
    let audited = texts(&url, TARGETS_IN_THE_AUDIT).await;
    assert_eq!(
        audited,
        [
            "target.create other ada@example.org r-1",
            "target.update other ada@example.org r-1",
            "target.delete other - -",
            "target.create other - -",
        ]
    );
}
