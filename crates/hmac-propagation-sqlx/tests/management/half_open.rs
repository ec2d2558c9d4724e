//! A link of which one end knows nothing any more: nobody is told, and nothing passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use auth_base::secret::Secret;
use futures_util::future::join_all;
use hmac_propagation::management::Management;
use hmac_propagation_sqlx::{SecretsKey, SqlManagement, SqlOptions};
use hmac_testkit::management::NOW;
use hmac_testkit::wait::eventually;
use services::proxy::{Mode, Proxy, Verdict, Way};

use crate::databases::{peer, revoke};

const TIMEOUT: Duration = Duration::from_millis(1_500);

async fn connect(url: &str) -> Arc<SqlManagement> {
    let options = SqlOptions {
        timeout: TIMEOUT,
        max_connections: 3,
        ..SqlOptions::default()
    };
    let management = SqlManagement::connect(url, SecretsKey::new([1; 32]), options)
        .await
        .unwrap();
    management
        .seed_target(&peer("a"), &Secret::new("a-secret"), false, None, NOW)
        .await
        .unwrap();
    Arc::new(management)
}

async fn many(management: &Arc<SqlManagement>, round: usize) -> usize {
    let calls = (0..12).map(|number| {
        let management = Arc::clone(management);
        async move {
            management
                .upsert_credential_with_targets(&revoke(&format!("c-{round}-{number}")))
                .await
        }
    });
    join_all(calls)
        .await
        .into_iter()
        .filter(Result::is_ok)
        .count()
}

/// However often a firewall forgets all connections, in the middle of whatever they do: one bound later everything works again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_connections_are_given_up_after_one_bound() {
    let server = services::mariadb().await.unwrap();
    let url = server.database("forgotten").await.unwrap();
    let proxy = Proxy::start(&url, None).unwrap();
    let management = connect(&proxy.through(&url).unwrap()).await;
    for round in 0..12 {
        let calling = tokio::spawn({
            let management = Arc::clone(&management);
            async move { many(&management, round).await }
        });
        tokio::time::sleep(Duration::from_millis(3 * round as u64)).await;
        proxy.forget();
        calling.await.unwrap();
        let started = Instant::now();
        eventually("it works again", async || management.counts().await.is_ok()).await;
        let took = started.elapsed();
        assert!(
            took < TIMEOUT * 2,
            "round {round}: {took:?} after the calls had ended"
        );
    }
    let mut round = 99;
    eventually("all twelve are accepted", async || {
        round += 1;
        many(&management, round).await == 12
    })
    .await;
}

/// A transaction whose client is out of reach holds its locks no longer than a few seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_transaction_locks_nobody_out() {
    let server = services::mariadb().await.unwrap();
    let url = server.database("locks").await.unwrap();
    let armed = Arc::new(AtomicBool::new(false));
    let proxy = Proxy::start(&url, {
        let armed = Arc::clone(&armed);
        Some(Arc::new(move |way, bytes: &[u8]| {
            let commits =
                way == Way::ToServer && bytes.windows(6).any(|window| window == b"COMMIT");
            if commits && armed.swap(false, Ordering::SeqCst) {
                Verdict::Swallow
            } else {
                Verdict::Pass
            }
        }))
    })
    .unwrap();
    let management = connect(&proxy.through(&url).unwrap()).await;
    management
        .upsert_credential_with_targets(&revoke("client"))
        .await
        .unwrap();
    armed.store(true, Ordering::SeqCst);
    management
        .upsert_credential_with_targets(&revoke("client"))
        .await
        .unwrap_err();
    proxy.forget();
    proxy.set(Mode::Open);
    let started = Instant::now();
    eventually("the client can be changed again", async || {
        management
            .upsert_credential_with_targets(&revoke("client"))
            .await
            .is_ok()
    })
    .await;
    println!("changed again after {:.1?}", started.elapsed());
}
