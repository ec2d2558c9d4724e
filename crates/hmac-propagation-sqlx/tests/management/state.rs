//! What an operator sees.

use auth_base::secret::Secret;
use hmac_auth::credential::Change;
use hmac_auth::secret_hash::hash_client_secret;
use hmac_propagation::management::{
    AckMark, ChangeOperation, ChangeRequest, Management, PendingQuery, SentMark,
};
use hmac_propagation::origin::Origin;
use hmac_propagation_sqlx::backlog::Backlog;
use hmac_propagation_sqlx::state::{DeliveryCounts, StateError};
use hmac_testkit::management::{LEASE, NOW, RESEND_AFTER};

use crate::databases::{Databases, connect, key, peer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_shows_its_state() {
    shows_its_state(Databases::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_shows_its_state() {
    shows_its_state(Databases::sqlite()).await;
}

async fn shows_its_state(databases: Databases) {
    let management = connect(&databases.fresh().await).await;
    for target in ["a", "b"] {
        management
            .seed_target(&peer(target), &Secret::new("a-secret"), false, None, NOW)
            .await
            .unwrap();
    }
    let secret = Secret::new("the-plain-secret");
    let hash = hash_client_secret(&secret, None);
    let ensure = |n: usize| ChangeRequest {
        key: key(&format!("client-{n}")),
        operation: ChangeOperation::Ensure {
            secret_hash: hash.clone(),
            allowed_ips: Change::Keep,
            expires_at: Change::Set(Some(NOW + 99)),
        },
        targets: vec![peer("a"), peer("b")],
        now_ms: NOW,
        floor_ts: None,
        origin: Origin::default(),
    };
    for n in 0..5 {
        management
            .upsert_credential_with_targets(&ensure(n))
            .await
            .unwrap();
    }
    assert_eq!(
        management.counts().await.unwrap(),
        DeliveryCounts {
            pending: 10,
            ..DeliveryCounts::default()
        }
    );
    let waiting = Backlog {
        pending: 10,
        oldest_change_ts: Some(NOW),
        ..Backlog::default()
    };
    assert_eq!(management.backlog().await.unwrap(), waiting);

    // Pages.
    let (mut cursor, mut clients, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = management.state(cursor.as_deref(), 2).await.unwrap();
        assert_eq!(page.targets.len(), 2);
        assert_eq!(page.deliveries.len(), 2 * page.credentials.len());
        let text = serde_json::to_string(&page).unwrap();
        assert!(
            !text.contains("the-plain-secret")
                && !text.contains(hash.expose())
                && !text.contains("a-secret")
        );
        for credential in &page.credentials {
            assert_eq!(credential.hash_prefix.as_deref(), Some(hash.prefix()));
            clients.push(credential.client_id.clone());
        }
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((pages, clients.len()), (3, 5));
    assert!(clients.is_sorted());
    for cursor in ["", "nothing", "smoke/a"] {
        assert!(matches!(
            management.state(Some(cursor), 2).await,
            Err(StateError::InvalidCursor)
        ));
    }

    // A row's way, the newest first.
    let query = PendingQuery {
        now_ms: NOW + 1,
        resend_after_ms: RESEND_AFTER,
        overdue: true,
        lease_ms: LEASE,
        limit: 1,
        source: peer("authority"),
        randoms: vec![[1; 16]],
        origin: Origin::default(),
    };
    let row = management
        .fetch_pending_propagations(&query)
        .await
        .unwrap()
        .remove(0);
    let mark = SentMark {
        key: row.key.clone(),
        target: row.target.clone(),
        generation: row.generation,
        event_id: row.event_id.clone(),
        at_ms: NOW + 2,
        outcome: Err("x".repeat(5_000) + "\u{0}"),
    };
    management.mark_target_sent(&mark).await.unwrap();
    let history = management.history(&row.key, None, 10).await.unwrap();
    let ways: Vec<_> = history
        .iter()
        .map(|entry| entry.transition.as_str())
        .collect();
    assert_eq!(ways, ["not sent", "ensured", "ensured"]);
    assert_eq!(history[0].event_id.as_ref(), Some(&row.event_id));
    assert_eq!(history[0].reason.as_ref().unwrap().len(), 500);
    let older = management
        .history(&row.key, Some(history[1].id), 1)
        .await
        .unwrap();
    assert_eq!(older[0], history[2]);
    assert_eq!(management.prune_audit(NOW + 1, 2).await.unwrap(), 2);
    assert_eq!(management.prune_audit(NOW + 1, 1_000).await.unwrap(), 8);
    assert_eq!(management.prune_audit(NOW + 1, 1_000).await.unwrap(), 0);
    assert_eq!(
        management.history(&row.key, None, 10).await.unwrap().len(),
        1
    );

    // An answer that overtakes the sent mark stands for it.
    let query = PendingQuery {
        now_ms: NOW + 3,
        randoms: vec![[2; 16]],
        ..query
    };
    let row = management
        .fetch_pending_propagations(&query)
        .await
        .unwrap()
        .remove(0);
    let mark = AckMark {
        key: row.key.clone(),
        target: peer(&row.target),
        generation: row.generation,
        event_id: row.event_id.clone(),
        sent_at: NOW + 4,
        at_ms: NOW + 9,
        outcome: Ok(()),
    };
    management.mark_target_success(&mark).await.unwrap();
    let history = management.history(&row.key, None, 2).await.unwrap();
    let ways: Vec<_> = history
        .iter()
        .map(|entry| (entry.transition.as_str(), entry.at_ms))
        .collect();
    assert_eq!(ways, [("success", NOW + 9), ("sent", NOW + 4)]);
    assert_eq!(history[1].event_id.as_ref(), Some(&row.event_id));
    assert_eq!(
        management.backlog().await.unwrap(),
        Backlog {
            pending: 9,
            ..waiting
        }
    );

    assert_eq!(
        management
            .secret_hash(&key("client-0"))
            .await
            .unwrap()
            .unwrap()
            .expose(),
        hash.expose()
    );
    assert!(
        management
            .secret_hash(&key("nobody"))
            .await
            .unwrap()
            .is_none()
    );
}
