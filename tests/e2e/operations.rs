//! What `docs/operations.md` tells an operator to do, done. The SQL is read from the page.

use std::fs;
use std::path::Path;

use auth_base::secret::Secret;
use hmac_auth::secret_hash::hash_client_secret;
use serde_json::json;
use sqlx::Row as _;

use crate::configuration::run as run_program;
use crate::mesh::{Caller, Mesh, Options, Peer, until};

const SECRET: &str = "a secret that is operated";
const NEXT: &str = "the secret that comes next";

/// The statements of the page's block of SQL that begins with the comment `title`.
fn sql(title: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in the workspace");
    let page = fs::read_to_string(root.join("docs/operations.md")).expect("the page is readable");
    let mut lines = page
        .lines()
        .skip_while(|line| line.trim() != format!("-- {title}"))
        .skip(1);
    let block: Vec<&str> = lines
        .by_ref()
        .take_while(|line| line.trim() != "```")
        .collect();
    let block = block.join("\n");
    let statements: Vec<String> = block
        .split(';')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect();
    assert!(
        !statements.is_empty(),
        "docs/operations.md has no SQL called {title:?}"
    );
    statements
}

/// Runs it in a peer's schema, as an operator would.
pub(crate) async fn run(mesh: &Mesh, peer: Peer, title: &str) {
    let mut connection = mesh.sql(peer).await.expect("SQL");
    for statement in sql(title) {
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone()))
            .execute(&mut connection)
            .await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// What the page's line for `redis-cli` does.
async fn forget_what_is_in_flight(mesh: &Mesh, peer: Peer) {
    let keys = mesh.keys(peer, "propagation:ack:*").await;
    assert!(!keys.is_empty(), "the dead target's event is remembered");
    let mut redis = mesh.redis(peer).await.expect("Redis");
    redis::cmd("DEL")
        .arg(keys)
        .exec_async(&mut redis)
        .await
        .expect("they are deleted");
}

/// Which keys the values of each place are sealed with: `(place, key id, how many)`.
async fn sealed(mesh: &Mesh, peer: Peer) -> Vec<(String, String, i64)> {
    let statement = sql("values under each key").remove(0);
    let mut connection = mesh.sql(peer).await.expect("SQL");
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .fetch_all(&mut connection)
        .await
        .expect("an answer");
    let mut sealed: Vec<_> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    sealed.sort();
    sealed
}

#[tokio::test]
async fn the_own_store_of_a_source_is_filled_again() {
    let mut mesh = Mesh::start().await;
    for client in ["kept", "revoked"] {
        mesh.ensure(Peer::Authority, client, SECRET, &[Peer::Consumer])
            .await;
    }
    mesh.revoke(Peer::Authority, "revoked", &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::Authority, 2).await;
    mesh.stop_peer(Peer::Authority).await;
    let mut redis = mesh.redis(Peer::Authority).await.expect("Redis");
    redis::cmd("FLUSHALL")
        .exec_async(&mut redis)
        .await
        .expect("a flush");
    assert_eq!(mesh.record(Peer::Authority, "kept").await.unwrap(), None);

    run(&mesh, Peer::Authority, "fill the own store again").await;
    mesh.start_peer(Peer::Authority).await;
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    mesh.until_converged("kept", &[Peer::Authority, Peer::Consumer], Some(&hash))
        .await;
    mesh.until_let_in(&[Peer::Authority], &Caller::new("kept", hash))
        .await;
    assert_eq!(mesh.record(Peer::Authority, "revoked").await.unwrap(), None);
    // And it goes on as before.
    mesh.rotate(Peer::Authority, "kept", NEXT).await;
    let hash = mesh.secrets.hash(Peer::Authority, NEXT);
    mesh.until_converged("kept", &[Peer::Authority, Peer::Consumer], Some(&hash))
        .await;
}

#[tokio::test]
async fn a_dead_target_is_forgotten() {
    let mut mesh = Mesh::start().await;
    mesh.stop_peer(Peer::Consumer).await;
    mesh.ensure(
        Peer::Authority,
        "lives",
        SECRET,
        &[Peer::Consumer, Peer::LeptosAxum],
    )
    .await;
    until("one row is success and one is sent", async || {
        let rows = mesh.rows(Peer::Authority).await?;
        let statuses: Vec<&str> = rows.iter().map(|row| row.status.as_str()).collect();
        if statuses == ["sent", "success"] {
            Ok(())
        } else {
            Err(format!("{rows:?}"))
        }
    })
    .await;
    mesh.delete_target(Peer::Authority, "consumer")
        .await
        .refused(409, "TARGET_IN_USE")
        .unwrap();

    run(&mesh, Peer::Authority, "forget a dead target").await;
    let answer = mesh.delete_target(Peer::Authority, "consumer").await;
    assert_eq!(answer.status, 200, "{answer}");
    forget_what_is_in_flight(&mesh, Peer::Authority).await;
    mesh.rotate(Peer::Authority, "lives", NEXT).await;
    mesh.until_success(Peer::Authority, 1).await;
    let hash = mesh.secrets.hash(Peer::Authority, NEXT);
    mesh.until_converged("lives", &[Peer::Authority, Peer::LeptosAxum], Some(&hash))
        .await;

    // A later peer of the same name gets what is newer than anything the dead one was told.
    let secret = mesh.secrets.propagation(Peer::Consumer).to_owned();
    mesh.accept(
        Peer::Authority,
        "/targets",
        &json!({ "targetAmqpQueue": "consumer", "propagationSecret": secret }),
    )
    .await;
    mesh.ensure(Peer::Authority, "lives", SECRET, &[Peer::Consumer])
        .await;
    mesh.start_peer(Peer::Consumer).await;
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    mesh.until_converged("lives", &[Peer::Consumer], Some(&hash))
        .await;
}

#[tokio::test]
async fn a_propagation_secret_is_changed() {
    const OTHER: &str = "another entry secret of the consumer";
    let mut mesh = Options::default()
        .everyone("RESEND_AFTER_MS", "500")
        .start()
        .await;
    mesh.ensure(Peer::Authority, "before", SECRET, &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::Authority, 1).await;
    mesh.accept(
        Peer::Authority,
        "/targets",
        &json!({ "targetAmqpQueue": "consumer", "propagationSecret": OTHER }),
    )
    .await;
    // In between: the consumer still has the old one.
    mesh.ensure(Peer::Authority, "between", SECRET, &[Peer::Consumer])
        .await;
    mesh.until_metric(Peer::Consumer, "propagation_messages_dropped_total", 1.0)
        .await;
    assert_eq!(mesh.record(Peer::Consumer, "between").await.unwrap(), None);
    mesh.stop_peer(Peer::Consumer).await;
    mesh.set(Peer::Consumer, "PROPAGATION_SECRET", OTHER);
    mesh.start_peer(Peer::Consumer).await;
    mesh.until_success(Peer::Authority, 2).await;
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    mesh.until_converged("between", &[Peer::Consumer], Some(&hash))
        .await;

    // A source that starts with the old one in its configuration has the old one again.
    mesh.stop_peer(Peer::Authority).await;
    mesh.start_peer(Peer::Authority).await;
    let dropped = mesh
        .metric(Peer::Consumer, "propagation_messages_dropped_total")
        .await;
    mesh.ensure(Peer::Authority, "after", SECRET, &[Peer::Consumer])
        .await;
    mesh.until_metric(
        Peer::Consumer,
        "propagation_messages_dropped_total",
        dropped + 1.0,
    )
    .await;
    mesh.stop_peer(Peer::Authority).await;
    mesh.set(
        Peer::Authority,
        "PROPAGATION_TARGETS",
        &format!("consumer={OTHER}"),
    );
    mesh.start_peer(Peer::Authority).await;
    mesh.until_converged("after", &[Peer::Consumer], Some(&hash))
        .await;
}

#[tokio::test]
async fn a_secrets_key_is_changed() {
    const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
    let mut mesh = Options::default()
        .only(Peer::Authority, "SECRETS_KEY", OLD)
        .start()
        .await;
    mesh.ensure(Peer::Authority, "sealed", SECRET, &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::Authority, 1).await;
    let before = sealed(&mesh, Peer::Authority).await;
    let old = before[0].1.clone();
    let expected = [("credentials", 1), ("rows", 1), ("targets", 4)];
    assert_eq!(
        before,
        expected.map(|(place, count)| (place.to_owned(), old.clone(), count))
    );

    mesh.stop_peer(Peer::Authority).await;
    mesh.set(Peer::Authority, "SECRETS_KEY", &format!("{NEW},{OLD}"));
    mesh.start_peer(Peer::Authority).await;
    let between = sealed(&mesh, Peer::Authority).await;
    let new = between[2].1.clone();
    assert_ne!(new, old);
    let expected = [
        ("credentials", &old, 1),
        ("rows", &old, 1),
        ("targets", &new, 4),
    ];
    assert_eq!(
        between,
        expected.map(|(place, key, count)| (place.to_owned(), key.clone(), count))
    );

    // The rows under the old key are still read, and written anew by the next rotation.
    mesh.accept(Peer::Authority, "/resync", &json!({ "target": "consumer" }))
        .await;
    mesh.until_success(Peer::Authority, 1).await;
    mesh.rotate(Peer::Authority, "sealed", NEXT).await;
    mesh.until_success(Peer::Authority, 1).await;
    assert!(
        sealed(&mesh, Peer::Authority)
            .await
            .iter()
            .all(|(_, key, _)| *key == new)
    );
    mesh.stop_peer(Peer::Authority).await;
    mesh.set(Peer::Authority, "SECRETS_KEY", NEW);
    mesh.start_peer(Peer::Authority).await;
    mesh.accept(Peer::Authority, "/resync", &json!({ "target": "consumer" }))
        .await;
    mesh.until_success(Peer::Authority, 1).await;
}

/// Runs what the page says an operator runs, with the environment that the peer would be started with now.
fn reseal(mesh: &Mesh, peer: Peer) -> (Option<i32>, String) {
    let environment = mesh.environment(peer);
    let variables: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let output = run_program(peer.name(), &["secrets", "reseal"], &variables);
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_sealed_under_a_new_secrets_key_and_the_old_one_is_dropped() {
    const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
    let mut mesh = Options::default()
        .only(Peer::Authority, "SECRETS_KEY", OLD)
        .start()
        .await;
    for client in ["done", "rotated"] {
        mesh.ensure(Peer::Authority, client, SECRET, &[Peer::LeptosAxum])
            .await;
    }
    mesh.until_success(Peer::Authority, 2).await;
    // One whose target is away.
    mesh.stop_peer(Peer::Consumer).await;
    mesh.ensure(Peer::Authority, "waiting", SECRET, &[Peer::Consumer])
        .await;
    let old = sealed(&mesh, Peer::Authority).await[0].1.clone();

    mesh.stop_peer(Peer::Authority).await;
    mesh.set(Peer::Authority, "SECRETS_KEY", NEW);
    let (code, printed) = reseal(&mesh, Peer::Authority);
    assert_eq!(
        code,
        Some(1),
        "without the old key nothing can be read: {printed}"
    );
    assert!(
        printed.contains(
            "unreadable: http/done/leptos-axum: sealed with a key that is not configured"
        ),
        "{printed}"
    );
    assert!(printed.contains("not complete"), "{printed}");

    mesh.set(Peer::Authority, "SECRETS_KEY", &format!("{NEW},{OLD}"));
    mesh.start_peer(Peer::Authority).await;
    // Beside the running peer, which accepts a change meanwhile.
    let rotating = mesh.rotate(Peer::Authority, "rotated", NEXT);
    let ((code, printed), _) = tokio::join!(
        async { tokio::task::block_in_place(|| reseal(&mesh, Peer::Authority)) },
        rotating
    );
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.contains("hmac_credential.secret_hash: "),
        "{printed}"
    );
    let after = sealed(&mesh, Peer::Authority).await;
    assert!(after.iter().all(|(_, key, _)| *key != old), "{after:?}");
    let (code, printed) = reseal(&mesh, Peer::Authority);
    assert_eq!(code, Some(0));
    assert!(
        printed
            .lines()
            .filter(|line| line.contains(": 0 sealed anew"))
            .count()
            == 3,
        "{printed}"
    );

    // The old key is dropped, and everything works on.
    mesh.stop_peer(Peer::Authority).await;
    mesh.set(Peer::Authority, "SECRETS_KEY", NEW);
    mesh.start_peer(Peer::Authority).await;
    mesh.start_peer(Peer::Consumer).await;
    mesh.until_success(Peer::Authority, 3).await;
    let hash = |secret| mesh.secrets.hash(Peer::Authority, secret);
    mesh.until_converged(
        "waiting",
        &[Peer::Authority, Peer::Consumer],
        Some(&hash(SECRET)),
    )
    .await;
    mesh.until_converged(
        "rotated",
        &[Peer::Authority, Peer::LeptosAxum],
        Some(&hash(NEXT)),
    )
    .await;
    mesh.accept(
        Peer::Authority,
        "/resync",
        &json!({ "target": "leptos-axum" }),
    )
    .await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.rotate(Peer::Authority, "done", NEXT).await;
    mesh.until_converged(
        "done",
        &[Peer::Authority, Peer::LeptosAxum],
        Some(&hash(NEXT)),
    )
    .await;
}

#[tokio::test]
async fn a_pepper_is_changed() {
    const PEPPER: &str = "another pepper of the authority";
    let mut mesh = Mesh::start().await;
    mesh.ensure(Peer::Authority, "peppered", SECRET, &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::Authority, 1).await;
    mesh.stop_peer(Peer::Authority).await;
    mesh.set(Peer::Authority, "HMAC_SECRET_TOKEN", PEPPER);
    mesh.start_peer(Peer::Authority).await;
    let both = [Peer::Authority, Peer::Consumer];
    mesh.until_let_in(
        &both,
        &Caller::new("peppered", mesh.secrets.hash(Peer::Authority, SECRET)),
    )
    .await;
    let call = json!({ "target": "consumer", "clientId": "peppered", "secret": SECRET });
    let answer = mesh.accept(Peer::Authority, "/call-target", &call).await;
    assert_eq!(
        answer["body"]["error"], "BAD_SIGNATURE",
        "the pepper is another than when it was ensured: {answer}"
    );

    mesh.rotate(Peer::Authority, "peppered", NEXT).await;
    mesh.until_success(Peer::Authority, 1).await;
    let hash = hash_client_secret(&Secret::new(NEXT), Some(&Secret::new(PEPPER)));
    mesh.until_converged("peppered", &both, Some(&hash)).await;
    mesh.until_let_in(&both, &Caller::new("peppered", hash))
        .await;
}
