//! What lies in the tables.

use auth_base::secret::Secret;
use hmac_auth::credential::Change;
use hmac_auth::secret_hash::hash_client_secret;
use hmac_propagation::management::{
    ChangeOperation, ChangeRequest, Management, ManagementError, PendingQuery, SettledQuery,
    SettledScope,
};
use hmac_propagation::origin::Origin;
use hmac_propagation_sqlx::SecretsKey;
use hmac_testkit::management::{LEASE, NOW, RESEND_AFTER};

use crate::databases::{Databases, connect_with, execute, key, on_both, peer, texts};

const TABLES: [&str; 4] = [
    "hmac_credential",
    "hmac_propagation_target",
    "hmac_credential_target",
    "hmac_credential_target_audit",
];
const COLUMNS: [(&str, &str); 3] = [
    ("hmac_credential", "secret_hash"),
    ("hmac_credential_target", "secret_hash"),
    ("hmac_propagation_target", "propagation_secret"),
];

fn ensure(client: &str, plain: &str, targets: &[&str]) -> ChangeRequest {
    let secret = Secret::new(plain);
    let operation = ChangeOperation::Ensure {
        secret_hash: hash_client_secret(&secret, None),
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

fn query(now_ms: i64) -> PendingQuery {
    PendingQuery {
        now_ms,
        resend_after_ms: RESEND_AFTER,
        overdue: true,
        lease_ms: LEASE,
        limit: 10,
        source: peer("authority"),
        randoms: (0..10).map(|n| [n; 16]).collect(),
        origin: Origin::default(),
    }
}

/// Not while its change waits for a target, and not after an earlier version has been here, which held it sealed.
async fn a_plain_secret_is_never_stored(databases: Databases) {
    const HELD: &str = "SELECT plain_secret FROM hmac_credential WHERE plain_secret IS NOT NULL";
    let url = databases.fresh().await;
    let management = connect_with(&url, SecretsKey::new([1; 32])).await;
    management
        .seed_target(&peer("a"), &Secret::new("secret-of-a"), false, None, NOW)
        .await
        .unwrap();
    for client in ["one", "two"] {
        management
            .upsert_credential_with_targets(&ensure(client, client, &["a"]))
            .await
            .unwrap();
    }
    assert_eq!(texts(&url, HELD).await, [""; 0]);
    let earlier = "UPDATE hmac_credential SET plain_secret = 'sealed' WHERE client_id = 'one'";
    execute(&url, earlier).await;
    connect_with(&url, SecretsKey::new([1; 32])).await;
    assert_eq!(texts(&url, HELD).await, [""; 0]);
}

/// No column of any table holds a hash or a propagation secret, and the keys are needed to read them.
async fn nothing_is_readable_without_the_key(databases: Databases) {
    let url = databases.fresh().await;
    let (old, new) = (SecretsKey::new([1; 32]), SecretsKey::new([2; 32]));
    let management = connect_with(&url, old.clone()).await;
    let propagation = Secret::new("the-propagation-secret");
    management
        .seed_target(&peer("a"), &propagation, false, None, NOW)
        .await
        .unwrap();
    let request = ensure("client", "secret-of-a-client", &["a"]);
    let hash = match &request.operation {
        ChangeOperation::Ensure { secret_hash, .. } => secret_hash.expose().to_owned(),
        ChangeOperation::Revoke => unreachable!(),
    };
    management
        .upsert_credential_with_targets(&request)
        .await
        .unwrap();
    let secrets = ["the-propagation-secret", &hash];
    for (table, column) in COLUMNS {
        let values = texts(&url, &format!("SELECT {column} FROM {table}")).await;
        assert!(!values.is_empty(), "{table}.{column} is filled");
        for value in values {
            assert!(
                secrets.iter().all(|secret| !value.contains(secret)),
                "{table}.{column}"
            );
        }
    }
    for table in TABLES {
        assert!(
            !texts(&url, &format!("SELECT COUNT(*) FROM {table}"))
                .await
                .is_empty()
        );
    }

    let strangers = connect_with(&url, new.clone()).await;
    assert!(matches!(
        strangers.secret_hash(&key("client")).await,
        Err(ManagementError::Failed(_))
    ));
    let claimed = strangers
        .fetch_pending_propagations(&query(NOW))
        .await
        .unwrap();
    let reason = claimed[0].message.as_ref().unwrap_err();
    assert!(reason.contains("propagation secret") && !reason.contains("the-propagation-secret"));

    let both = connect_with(&url, new.clone().also_reading(old)).await;
    assert_eq!(
        both.secret_hash(&key("client"))
            .await
            .unwrap()
            .unwrap()
            .expose(),
        hash
    );
    let claimed = both
        .fetch_pending_propagations(&query(NOW + RESEND_AFTER + 1))
        .await
        .unwrap();
    let message = claimed[0].message.as_ref().unwrap();
    assert_eq!(
        message.propagation_secret.expose(),
        "the-propagation-secret"
    );
    both.upsert_credential_with_targets(&request).await.unwrap();
    assert!(
        strangers
            .secret_hash(&key("client"))
            .await
            .unwrap()
            .is_some(),
        "written with the first key"
    );
}

/// A sealed value that was copied to another row does not open there, and only that row suffers.
async fn a_secret_is_bound_to_its_row(databases: Databases) {
    let url = databases.fresh().await;
    let management = connect_with(&url, SecretsKey::new([1; 32])).await;
    management
        .seed_target(&peer("a"), &Secret::new("secret-of-a"), false, None, NOW)
        .await
        .unwrap();
    for client in ["honest", "thief"] {
        management
            .upsert_credential_with_targets(&ensure(client, client, &["a"]))
            .await
            .unwrap();
    }
    let stolen = texts(
        &url,
        "SELECT secret_hash FROM hmac_credential_target WHERE client_id = 'honest'",
    )
    .await;
    let sql = format!(
        "UPDATE hmac_credential_target SET secret_hash = '{}' WHERE client_id = 'thief'",
        stolen[0]
    );
    execute(&url, &sql).await;
    let claimed = management
        .fetch_pending_propagations(&query(NOW))
        .await
        .unwrap();
    assert_eq!(claimed.len(), 2);
    for row in claimed {
        assert_eq!(row.message.is_ok(), row.key == key("honest"), "{row:?}");
    }
}

/// Names of targets that the broker cannot have, rows without a key that means anything, unknown operations, damaged
/// rules: each is told apart and none stops the others.
async fn rows_damaged_by_hand_stop_nobody(databases: Databases) {
    let url = databases.fresh().await;
    let management = connect_with(&url, SecretsKey::new([1; 32])).await;
    management
        .seed_target(&peer("a"), &Secret::new("secret-of-a"), false, None, NOW)
        .await
        .unwrap();
    for client in ["operation", "rules", "hash", "status-is-fine", "key"] {
        management
            .upsert_credential_with_targets(&ensure(client, client, &["a"]))
            .await
            .unwrap();
    }
    let pivot = "UPDATE hmac_credential_target SET";
    execute(
        &url,
        &format!("{pivot} operation = 'credential.paint' WHERE client_id = 'operation'"),
    )
    .await;
    execute(
        &url,
        &format!("{pivot} allowed_ips = 'not json' WHERE client_id = 'rules'"),
    )
    .await;
    execute(
        &url,
        &format!("{pivot} secret_hash = NULL WHERE client_id = 'hash'"),
    )
    .await;
    let copy = |table: &str, columns: &str, values: &str| {
        format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE client_id = 'key'"
        )
    };
    let credential = "client_id, allowed_ips, generation, change_ts, created_at, updated_at";
    let values = "'', allowed_ips, generation, change_ts, created_at, updated_at";
    let sql = copy(
        "hmac_credential",
        &format!("track, {credential}"),
        &format!("track, {values}"),
    );
    execute(&url, &sql).await;
    let rest = "operation, allowed_ips, generation, change_ts, status, waiting_since, created_at";
    let sql = copy(
        "hmac_credential_target",
        &format!("track, client_id, target_amqp_queue, {rest}"),
        &format!("track, '', target_amqp_queue, {rest}"),
    );
    execute(&url, &sql).await;
    let sql = "INSERT INTO hmac_propagation_target (target_amqp_queue, propagation_secret, created_at, updated_at) \
               VALUES ('not a queue!', 'x', 0, 0)";
    execute(&url, sql).await;
    let sql = copy(
        "hmac_credential_target",
        &format!("track, client_id, target_amqp_queue, {rest}"),
        &format!("track, client_id, 'not a queue!', {rest}"),
    );
    execute(&url, &sql).await;

    let claimed = management
        .fetch_pending_propagations(&query(NOW))
        .await
        .unwrap();
    let bad = |client: &str, target: &str| {
        let row = claimed
            .iter()
            .find(|row| row.key == key(client) && row.target == target)
            .unwrap();
        row.message.as_ref().unwrap_err().clone()
    };
    assert_eq!(
        claimed.len(),
        6,
        "all but the row without a client: {claimed:?}"
    );
    assert!(bad("operation", "a").contains("operation"));
    assert!(bad("rules", "a").contains("allowed_ips"));
    assert!(bad("hash", "a").contains("no secret hash"));
    assert!(bad("key", "not a queue!").contains("amqpQueue"));
    assert_eq!(claimed.iter().filter(|row| row.message.is_ok()).count(), 2);
    assert!(
        management
            .fetch_pending_propagations(&query(NOW + 1))
            .await
            .unwrap()
            .is_empty()
    );
    let set_aside = texts(
        &url,
        "SELECT reason FROM hmac_credential_target WHERE client_id = ''",
    )
    .await;
    assert_eq!(set_aside, ["the row cannot be read"]);
}

/// A page of which nothing can be read is not the end of the rows.
async fn a_row_that_cannot_be_read_hides_no_other(databases: Databases) {
    let url = databases.fresh().await;
    let management = connect_with(&url, SecretsKey::new([1; 32])).await;
    management
        .seed_target(&peer("a"), &Secret::new("secret-of-a"), false, None, NOW)
        .await
        .unwrap();
    for client in ["b", "c"] {
        management
            .upsert_credential_with_targets(&ensure(client, client, &["a"]))
            .await
            .unwrap();
    }
    execute(&url, "UPDATE hmac_credential SET unapplied_since = NULL").await;
    execute(&url, "UPDATE hmac_credential_target SET status = 'success'").await;
    let columns = "track, client_id, allowed_ips, generation, change_ts, created_at, updated_at";
    let sql = format!(
        "INSERT INTO hmac_credential ({columns}) SELECT {} FROM hmac_credential WHERE client_id = 'b'",
        columns.replace("client_id", "''")
    );
    execute(&url, &sql).await;
    let columns = "track, client_id, target_amqp_queue, operation, allowed_ips, generation, change_ts, status, waiting_since, created_at";
    let sql = format!(
        "INSERT INTO hmac_credential_target ({columns}) SELECT {} FROM hmac_credential_target WHERE client_id = 'b'",
        columns.replace("client_id", "''")
    );
    execute(&url, &sql).await;

    let scope = |after| SettledScope::Page { after, limit: 1 };
    let (mut after, mut targets) = (None, Vec::new());
    while let Some(row) = management
        .settled_rows(&SettledQuery {
            target: peer("a"),
            scope: scope(after),
        })
        .await
        .unwrap()
        .pop()
    {
        targets.push(row.key.client_id.to_string());
        after = Some(row.key);
    }
    let (mut after, mut own) = (None, Vec::new());
    while let Some(row) = management
        .settled_changes(after.as_ref(), 1)
        .await
        .unwrap()
        .pop()
    {
        own.push(row.key.client_id.to_string());
        after = Some(row.key);
    }
    assert_eq!(
        (targets, own),
        (
            vec!["b".to_owned(), "c".to_owned()],
            vec!["b".to_owned(), "c".to_owned()]
        )
    );
    assert!(
        management
            .settled_changes(None, 0)
            .await
            .unwrap()
            .is_empty()
    );
}

on_both! {
    a_row_that_cannot_be_read_hides_no_other =>
        a_row_that_cannot_be_read_hides_no_other_in_mariadb, a_row_that_cannot_be_read_hides_no_other_in_sqlite;
    a_plain_secret_is_never_stored => no_plain_secret_at_rest_in_mariadb, no_plain_secret_at_rest_in_sqlite;
    nothing_is_readable_without_the_key =>
        nothing_is_readable_without_the_key_in_mariadb, nothing_is_readable_without_the_key_in_sqlite;
    a_secret_is_bound_to_its_row => a_secret_is_bound_to_its_row_in_mariadb, a_secret_is_bound_to_its_row_in_sqlite;
    rows_damaged_by_hand_stop_nobody => one_bad_row_blocks_nobody_in_mariadb, one_bad_row_blocks_nobody_in_sqlite;
}
