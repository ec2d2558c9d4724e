//! The server goes away, hangs, and comes back.

use std::time::{Duration, Instant};

use auth_base::secret::Secret;
use hmac_propagation::management::{Management, ManagementError};
use hmac_propagation::origin::Origin;
use hmac_propagation_sqlx::{SecretsKey, SqlManagement, SqlOptions};
use hmac_testkit::management::NOW;
use hmac_testkit::wait::eventually;

use crate::databases::{execute, peer, revoke};

fn impatient() -> SqlOptions {
    SqlOptions {
        timeout: Duration::from_millis(1_500),
        max_connections: 3,
        ..SqlOptions::default()
    }
}

/// Every call returns in time and says that nobody is there; what was accepted before the kill is still there after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_hangs_when_mariadb_is_away() {
    let mut server = services::private_mariadb().await.unwrap();
    let url = server.database("outage").await.unwrap();
    let management = SqlManagement::connect(&url, SecretsKey::new([1; 32]), impatient())
        .await
        .unwrap();
    management
        .seed_target(&peer("a"), &Secret::new("a-secret"), false, None, NOW)
        .await
        .unwrap();
    management
        .upsert_credential_with_targets(&revoke("before"))
        .await
        .unwrap();

    server.pause();
    unavailable(&management, "while it hangs").await;
    server.resume();
    eventually("it answers again", async || {
        management.counts().await.is_ok()
    })
    .await;
    management
        .upsert_credential_with_targets(&revoke("between"))
        .await
        .unwrap();

    server.kill();
    unavailable(&management, "while it is dead").await;
    server.start().await.unwrap();
    eventually("it is back", async || management.counts().await.is_ok()).await;
    let page = management.state(None, 10).await.unwrap();
    let clients: Vec<_> = page
        .credentials
        .iter()
        .map(|row| row.client_id.as_str())
        .collect();
    assert_eq!(clients, ["before", "between"]);
    management
        .upsert_credential_with_targets(&revoke("after"))
        .await
        .unwrap();
    management.close().await;
    assert!(matches!(
        management.counts().await,
        Err(ManagementError::Unavailable(_))
    ));
}

async fn unavailable(management: &SqlManagement, when: &str) {
    for _ in 0..2 {
        let started = Instant::now();
        let answer = management
            .upsert_credential_with_targets(&revoke("lost"))
            .await;
        assert!(
            matches!(answer, Err(ManagementError::Unavailable(_))),
            "{when}: {answer:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(4), "{when}");
    }
    let batch = management
        .upsert_credentials_with_targets(&[revoke("lost"), revoke("lost-too")])
        .await;
    assert_eq!(batch.len(), 2);
    assert!(
        batch
            .iter()
            .all(|answer| matches!(answer, Err(ManagementError::Unavailable(_)))),
        "{when}"
    );
}

/// A connection killed in the pool is replaced without the caller's notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_in_the_pool_is_replaced() {
    let mut server = services::private_mariadb().await.unwrap();
    let url = server.database("reconnect").await.unwrap();
    let options = SqlOptions {
        max_connections: 1,
        ..SqlOptions::default()
    };
    let management = SqlManagement::connect(&url, SecretsKey::new([1; 32]), options)
        .await
        .unwrap();
    management
        .seed_target(&peer("a"), &Secret::new("a-secret"), false, None, NOW)
        .await
        .unwrap();
    server.kill();
    server.start().await.unwrap();
    management
        .upsert_credential_with_targets(&revoke("client"))
        .await
        .unwrap();
}

/// A server that answers reads and takes no writes is told from one that is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_sees_that_no_change_could_be_written() {
    let server = services::private_mariadb().await.unwrap();
    let url = server.database("readonly").await.unwrap();
    let schema = url.rsplit_once('/').unwrap().1;
    let grant = format!("GRANT ALL ON {schema}.* TO few@'%' IDENTIFIED BY 'few'");
    execute(&url, &grant).await;
    let few = url.replace("root@", "few:few@");
    let management = SqlManagement::connect(&few, SecretsKey::new([1; 32]), impatient())
        .await
        .unwrap();
    management.probe().await.unwrap();
    execute(&url, "SET GLOBAL read_only = 1").await;
    assert!(management.counts().await.is_ok(), "it answers");
    let change = revoke("client");
    let refused = management.upsert_credential_with_targets(&change).await;
    assert!(refused.is_err(), "and takes no change");
    assert!(management.probe().await.is_err());
    execute(&url, "SET GLOBAL read_only = 0").await;
    management.probe().await.unwrap();
}

/// The client library looks an address up with its brackets, and finds nobody.
#[tokio::test]
async fn an_ipv6_address_is_dialled() {
    let listener = std::net::TcpListener::bind("[::1]:0").unwrap();
    let url = format!("mysql://root@{}/s", listener.local_addr().unwrap());
    let silent = SqlManagement::connect(&url, SecretsKey::new([1; 32]), impatient()).await;
    assert!(silent.is_err());
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_ok(), "nobody came");
}

/// A call that its caller gives up leaves no transaction behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_call_leaves_nothing_behind() {
    let server = services::mariadb().await.unwrap();
    let url = server.database("cancelled").await.unwrap();
    let options = SqlOptions {
        max_connections: 2,
        ..SqlOptions::default()
    };
    let management = SqlManagement::connect(&url, SecretsKey::new([1; 32]), options)
        .await
        .unwrap();
    management
        .seed_target(&peer("a"), &Secret::new("a-secret"), false, None, NOW)
        .await
        .unwrap();
    for micros in (0..4_000).step_by(100) {
        let request = revoke("client");
        let call = management.upsert_credential_with_targets(&request);
        let _ = tokio::time::timeout(Duration::from_micros(micros), call).await;
    }
    let accepted = management
        .upsert_credential_with_targets(&revoke("client"))
        .await
        .unwrap();
    let page = management.state(None, 1).await.unwrap();
    assert_eq!(
        u64::try_from(page.credentials[0].generation),
        Ok(accepted.generation)
    );
    assert_eq!(
        u64::try_from(page.deliveries[0].generation),
        Ok(accepted.generation)
    );
    management
        .upsert_target(
            &peer("a"),
            &Secret::new("free"),
            None,
            NOW,
            &Origin::default(),
        )
        .await
        .unwrap();
}
