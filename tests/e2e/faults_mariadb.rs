//! The source's MariaDB fails in the ways a database fails, while changes and signed calls go on. Signed calls need no database; changes
//! are refused with 503 and accepted later; nothing that was accepted is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::{Connection, Executor};

use crate::mesh::{Mesh, Options, Peer, Traffic};

const SOURCE: Peer = Peer::Authority;

/// Longer than the bound of a call to the management store.
const LONG: Duration = Duration::from_secs(30);

async fn start(options: Options) -> (Mesh, Traffic) {
    let mesh = options.everyone("RESEND_AFTER_MS", "2000").start().await;
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    (mesh, traffic)
}

async fn calls_were_not_touched(mesh: &Mesh, traffic: Traffic) {
    mesh.until_all_ready().await;
    let seen = traffic.converges(mesh).await;
    seen.only(&[200]);
    println!("{} attempts to make a change were refused", seen.refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_stands_still_is_waited_for() {
    let (mesh, traffic) = start(Options::default().private_mariadb()).await;
    mesh.mariadb.pause().await;
    mesh.until_missing(SOURCE, "sql").await;
    tokio::time::sleep(LONG).await;
    mesh.mariadb.resume().await;
    mesh.until_ready(SOURCE).await;
    traffic.until_more(10).await;
    calls_were_not_touched(&mesh, traffic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_restarts_is_waited_for() {
    let (mut mesh, traffic) = start(Options::default().private_mariadb()).await;
    mesh.mariadb.stop().await;
    mesh.until_missing(SOURCE, "sql").await;
    mesh.mariadb.start().await;
    mesh.until_ready(SOURCE).await;
    traffic.until_more(10).await;
    calls_were_not_touched(&mesh, traffic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_somebody_locks_are_waited_for() {
    let (mesh, traffic) = start(Options::default()).await;
    let mut other = mesh.sql(SOURCE).await.unwrap();
    for table in ["hmac_credential_target", "hmac_credential"] {
        let mut transaction = other.begin().await.unwrap();
        let lock = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {table} FOR UPDATE) AS locked");
        let locked: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(lock))
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        println!("{locked} rows of {table} are locked");
        assert!(locked > 0, "nothing is locked");
        // Longer than a lock is waited for, so that waiting ends with an error again and again.
        tokio::time::sleep(Duration::from_secs(7)).await;
        transaction.rollback().await.unwrap();
        traffic.until_more(10).await;
    }
    calls_were_not_touched(&mesh, traffic).await;
}

/// Takes two rows at a time in the order that nobody else takes them, so that somebody has to give in.
async fn provoke(mut connection: MySqlConnection, deadlocks: Arc<AtomicUsize>, rounds: usize) {
    for _ in 0..rounds {
        let mut transaction = connection.begin().await.expect("a transaction");
        for order in ["DESC", "ASC"] {
            let statement = format!(
                "UPDATE hmac_credential_target SET attempt_count = attempt_count \
                 WHERE status <> 'success' ORDER BY client_id {order}, target_amqp_queue {order} LIMIT 20"
            );
            let updated = transaction.execute(sqlx::AssertSqlSafe(statement)).await;
            if let Err(error) = updated {
                assert!(error.to_string().contains("Deadlock"), "{error}");
                deadlocks.fetch_add(1, Ordering::SeqCst);
                break;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        let _ = transaction.rollback().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlocks_are_run_again() {
    let (mesh, traffic) = start(Options::default()).await;
    let before: i64 = deadlocks_seen(&mesh).await;
    let given_in = Arc::new(AtomicUsize::new(0));
    let mut provoking = Vec::new();
    for _ in 0..3 {
        let connection = mesh.sql(SOURCE).await.unwrap();
        provoking.push(tokio::spawn(provoke(
            connection,
            Arc::clone(&given_in),
            300,
        )));
    }
    for one in provoking {
        one.await.unwrap();
    }
    let all = deadlocks_seen(&mesh).await - before;
    let given_in = given_in.load(Ordering::SeqCst);
    println!("{all} deadlocks, of which {given_in} hit the one who provoked them");
    assert!(all > given_in as i64, "a peer had to give in, too");
    traffic.until_more(10).await;
    calls_were_not_touched(&mesh, traffic).await;
}

/// Deadlocks of the whole server so far.
async fn deadlocks_seen(mesh: &Mesh) -> i64 {
    const COUNT: &str = "SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status \
                         WHERE variable_name = 'INNODB_DEADLOCKS'";
    let mut connection = mesh.sql(SOURCE).await.unwrap();
    sqlx::query_scalar(COUNT)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}
