//! Everything sealed under a new key, beside peers that go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth_base::secret::Secret;
use hmac_auth::credential::Change;
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_propagation::management::{ChangeOperation, ChangeRequest, Management, Rotation};
use hmac_propagation::origin::Origin;
use hmac_propagation_sqlx::reseal::{Resealed, ResealedColumn};
use hmac_propagation_sqlx::{SecretsKey, SqlManagement};
use hmac_testkit::management::NOW;

use crate::databases::{Databases, connect_with, execute, key, on_both, peer};

fn old() -> SecretsKey {
    SecretsKey::new([1; 32])
}

fn new() -> SecretsKey {
    SecretsKey::new([2; 32])
}

fn both() -> SecretsKey {
    new().also_reading(old())
}

fn hash(plain: &str) -> SecretHash {
    hash_client_secret(&Secret::new(plain), None)
}

fn ensure(client: &str, targets: &[&str]) -> ChangeRequest {
    let operation = ChangeOperation::Ensure {
        secret_hash: hash(client),
        allowed_ips: Change::Keep,
        expires_at: Change::Keep,
    };
    let targets = targets.iter().map(|name| peer(name)).collect();
    ChangeRequest {
        key: key(client),
        operation,
        targets,
        now_ms: NOW,
        floor_ts: None,
        origin: Origin::default(),
    }
}

/// Two targets, and so many clients that are booked for both; sealed with the old key.
async fn fill(url: &str, clients: usize) -> Arc<SqlManagement> {
    let management = connect_with(url, old()).await;
    for target in ["a", "b"] {
        let secret = Secret::new(format!("secret-of-{target}"));
        management
            .seed_target(&peer(target), &secret, false, None, NOW)
            .await
            .unwrap();
    }
    let requests: Vec<ChangeRequest> = (0..clients)
        .map(|number| ensure(&format!("client-{number}"), &["a", "b"]))
        .collect();
    for result in management.upsert_credentials_with_targets(&requests).await {
        result.unwrap();
    }
    management
}

fn counts(resealed: &Resealed) -> Vec<(u64, u64, u64)> {
    let counts = |column: &ResealedColumn| (column.resealed, column.fresh, column.unreadable);
    resealed.columns.iter().map(counts).collect()
}

async fn everything_is_sealed_anew_and_a_second_run_changes_nothing(databases: Databases) {
    let url = databases.fresh().await;
    fill(&url, 230).await;
    let management = connect_with(&url, both()).await;
    let resealed = management.reseal().await.unwrap();
    assert_eq!(counts(&resealed), [(2, 0, 0), (230, 0, 0), (460, 0, 0)]);
    assert!(resealed.is_complete());
    let again = management.reseal().await.unwrap();
    assert_eq!(counts(&again), [(0, 2, 0), (0, 230, 0), (0, 460, 0)]);

    // The old key is not needed any more, and nothing else was changed.
    let management = connect_with(&url, new()).await;
    let secret = management
        .fetch_source_propagation_secret(&peer("a"))
        .await
        .unwrap()
        .unwrap();
    assert!(secret.matches("secret-of-a"));
    for number in 0..230 {
        let client = format!("client-{number}");
        assert!(
            management
                .secret_hash(&key(&client))
                .await
                .unwrap()
                .unwrap()
                .matches(&hash(&client))
        );
    }
    let state = management.state(None, 500).await.unwrap();
    assert!(state.deliveries.iter().all(|row| row.hash_prefix.is_some()));
    assert!(state.credentials.iter().all(|row| row.updated_at == NOW));
    assert!(management.reseal().await.unwrap().is_complete());
}

async fn a_run_that_is_broken_off_goes_on_where_it_was(databases: Databases) {
    let url = databases.fresh().await;
    fill(&url, 300).await;
    let management = connect_with(&url, both()).await;
    let before = management.statements();
    // Broken off after some pages: none of them is undone, and none is left half done.
    let watch = async {
        while management.statements() < before + 400 {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    };
    tokio::select! {
        biased;
        () = watch => {}
        _ = management.reseal() => panic!("it was to be broken off"),
    }
    let resealed = management.reseal().await.unwrap();
    let (anew, fresh) = resealed
        .columns
        .iter()
        .fold((0, 0), |(anew, fresh), column| {
            (anew + column.resealed, fresh + column.fresh)
        });
    assert_eq!(anew + fresh, 2 + 300 + 600);
    assert!(anew > 0 && fresh >= 102, "{anew} anew, {fresh} fresh");
    assert!(resealed.is_complete());
}

async fn what_cannot_be_read_is_named_and_left(databases: Databases) {
    let url = databases.fresh().await;
    fill(&url, 4).await;
    // Sealed with a key that nobody has, copied from another row, and no sealed value at all.
    let lost = connect_with(&url, SecretsKey::new([3; 32])).await;
    lost.seed_target(&peer("b"), &Secret::new("lost"), false, None, NOW)
        .await
        .unwrap();
    let copy = |client: &str, other: &str| {
        format!(
            "UPDATE hmac_credential SET secret_hash = (SELECT x.secret_hash FROM \
             (SELECT secret_hash, client_id FROM hmac_credential) x WHERE x.client_id = '{other}') \
             WHERE client_id = '{client}'"
        )
    };
    execute(&url, &copy("client-1", "client-2")).await;
    execute(
        &url,
        "UPDATE hmac_credential SET secret_hash = 'not sealed' WHERE client_id = 'client-3'",
    )
    .await;

    let management = connect_with(&url, both()).await;
    let resealed = management.reseal().await.unwrap();
    assert_eq!(counts(&resealed), [(1, 0, 1), (2, 0, 2), (8, 0, 0)]);
    assert!(!resealed.is_complete());
    let named: Vec<(&str, &str)> = resealed
        .columns
        .iter()
        .flat_map(|column| &column.unreadable_rows)
        .map(|row| (row.row.as_str(), row.reason.as_str()))
        .collect();
    assert_eq!(
        named,
        [
            ("b", "sealed with a key that is not configured"),
            (
                "http/client-1",
                "does not open here: wrong key, wrong row or damaged"
            ),
            ("http/client-3", "not a sealed value"),
        ]
    );
    assert!(
        !format!("{resealed:?}").contains("not sealed"),
        "a row is named, never its value"
    );
}

/// A peer accepts changes all the while: each of them is there afterwards, and everything is under the new key.
async fn a_change_meanwhile_wins(databases: Databases) {
    let url = databases.fresh().await;
    fill(&url, 120).await;
    let (running, done) = (
        connect_with(&url, both()).await,
        Arc::new(AtomicBool::new(false)),
    );
    let changes = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let mut last = vec![None; 120];
            for round in 0_u32.. {
                for number in (0..120_usize).step_by(7) {
                    if done.load(Ordering::SeqCst) && round > 0 {
                        return last;
                    }
                    let plain = format!("rotated-{round}-{number}");
                    let rotation = Rotation {
                        key: key(&format!("client-{number}")),
                        secret_hash: hash(&plain),
                        now_ms: NOW + i64::from(round),
                        floor_ts: None,
                        origin: Origin::default(),
                    };
                    running.rotate_credential_secret(&rotation).await.unwrap();
                    last[number] = Some(plain);
                }
            }
            unreachable!("rounds do not end by themselves")
        }
    });
    let management = connect_with(&url, both()).await;
    let resealed = management.reseal().await;
    done.store(true, Ordering::SeqCst);
    let last = changes.await.unwrap();
    let resealed = resealed.unwrap();
    assert!(
        resealed.columns.iter().all(|column| column.unreadable == 0),
        "{resealed:?}"
    );
    assert!(management.reseal().await.unwrap().is_complete());
    let management = connect_with(&url, new()).await;
    for (number, plain) in last.iter().enumerate() {
        let client = format!("client-{number}");
        let expected = hash(plain.as_deref().unwrap_or(&client));
        let held = management
            .secret_hash(&key(&client))
            .await
            .unwrap()
            .unwrap();
        assert!(held.matches(&expected), "{client} has lost a change");
    }
}

on_both! {
    everything_is_sealed_anew_and_a_second_run_changes_nothing =>
        everything_is_sealed_anew_in_mariadb, everything_is_sealed_anew_in_sqlite;
    a_run_that_is_broken_off_goes_on_where_it_was =>
        a_reseal_that_is_broken_off_goes_on_in_mariadb, a_reseal_that_is_broken_off_goes_on_in_sqlite;
    what_cannot_be_read_is_named_and_left =>
        what_cannot_be_resealed_is_named_in_mariadb, what_cannot_be_resealed_is_named_in_sqlite;
    a_change_meanwhile_wins =>
        a_change_beside_a_reseal_wins_in_mariadb, a_change_beside_a_reseal_wins_in_sqlite;
}
