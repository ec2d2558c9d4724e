//! Changes at two sources while servers and peers break, one after the other; when it is quiet again, every record of every peer is
//! compared with what the sources accepted.
//!
//! `cargo soak` runs it for long; `HMAC_MESH_SOAK_CHANGES` and `HMAC_MESH_SOAK_SEED` say how much and which.

mod clients;
mod faults;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use sqlx::Connection as _;
use sqlx::mysql::MySqlRow;

use crate::mesh::{Mesh, Options, Peer};
use clients::{Client, Stream};

/// Who accepts changes.
const SOURCES: [Peer; 2] = [Peer::Authority, Peer::LeptosAxum];

/// So many when nobody says otherwise.
const CHANGES: u64 = 2_000;

/// A short run is slowed down to this pause between two changes of one worker, so that there is time for faults.
const SHORT_PAUSE: Duration = Duration::from_millis(250);

/// When everything works again, everything has converged within this time.
const QUIET_WITHIN: Duration = Duration::from_secs(300);

/// A row that is acknowledged only after its target's Redis was killed, started and looked at is compared by the next check.
const DRIFT_INTERVAL_MS: &str = "20000";

/// What a Redis has forgotten when it was killed is there again within this time after the last change.
const HEALED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_under_rolling_faults() {
    let changes = number("HMAC_MESH_SOAK_CHANGES").unwrap_or(CHANGES);
    let seed = number("HMAC_MESH_SOAK_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("seed {seed}: {changes} changes");
    let options = Options::default().private_rabbitmq().private_mariadb();
    let options = options
        .everyone("DRIFT_INTERVAL_MS", DRIFT_INTERVAL_MS)
        .everyone("RESEND_AFTER_MS", "3000");
    let mut mesh = options.start().await;
    let mut random = StdRng::seed_from_u64(seed);
    let pause = if changes > 5 * CHANGES {
        Duration::ZERO
    } else {
        SHORT_PAUSE
    };
    let start = Instant::now();
    let stream = Stream::start(&mesh, changes, pause, &mut random);
    let counts = faults::roll(&mut mesh, &stream, &mut random).await;
    let (clients, refused) = stream.finish().await;
    let took = start.elapsed();
    let rate = changes as f64 / took.as_secs_f64();
    println!(
        "{changes} changes in {took:.1?} ({rate:.0}/s), {refused} attempts refused, faults: {counts:?}"
    );
    let quiet = until_quiet(&mesh, &clients).await;
    println!("quiet {quiet:.1?} after the last change");
    let (mut wrong, reopened) = (differences(&mesh, &clients).await, reopened(&mesh).await);
    println!(
        "{reopened} rows were opened again for drift by then; {} records differ yet",
        wrong.len()
    );
    if !counts.contains_key("Redis killed") {
        assert_eq!(
            (wrong.len(), reopened),
            (0, 0),
            "no store was killed that could have forgotten anything"
        );
    }
    let start = Instant::now();
    while !wrong.is_empty() && start.elapsed() < HEALED_WITHIN {
        tokio::time::sleep(Duration::from_millis(500)).await;
        until_quiet(&mesh, &clients).await;
        wrong = differences(&mesh, &clients).await;
    }
    let compared = Peer::ALL.len() * clients.len();
    let first = wrong
        .iter()
        .take(10)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    assert!(
        wrong.is_empty(),
        "{} of {compared} records differ, such as {first}",
        wrong.len()
    );
    println!(
        "{compared} records of {} clients compared: none lost, none stuck, none wrongly success",
        clients.len()
    );
}

fn number(variable: &str) -> Option<u64> {
    Some(services::variable(variable)?.parse().expect("a number"))
}

/// What a record says of a client.
const RECORD: [&str; 3] = ["secretHash", "allowedIps", "expiresAt"];

/// Waits until no row waits for anything.
async fn until_quiet(mesh: &Mesh, clients: &[Client]) -> Duration {
    let start = Instant::now();
    loop {
        let mut open = BTreeMap::new();
        for source in SOURCES {
            let rows: usize = clients
                .iter()
                .filter(|it| it.source == source)
                .map(|it| it.targets.len())
                .sum();
            let counts = count(mesh, source)
                .await
                .unwrap_or_else(|error| vec![(error, 0)]);
            if counts != [("success".to_owned(), rows as i64)] && rows > 0 {
                open.insert(source.name(), (rows, counts));
            }
        }
        if open.is_empty() {
            return start.elapsed();
        }
        assert!(
            start.elapsed() < QUIET_WITHIN,
            "stuck: rows expected, and those there: {open:?}"
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// How many rows of a source have which status.
async fn count(mesh: &Mesh, source: Peer) -> Result<Vec<(String, i64)>, String> {
    select(
        mesh,
        source,
        "SELECT status, COUNT(*) FROM hmac_credential_target GROUP BY status",
    )
    .await
}

/// How often a row was opened again because its target was found to hold something else.
async fn reopened(mesh: &Mesh) -> i64 {
    let mut all = 0;
    for source in SOURCES {
        let sql = "SELECT COUNT(*) FROM hmac_credential_target_audit WHERE transition = 'reopened'";
        let counts: Vec<(i64,)> = select(mesh, source, sql).await.expect("a count");
        all += counts.into_iter().map(|(count,)| count).sum::<i64>();
    }
    all
}

/// Asks a source's schema.
async fn select<T>(mesh: &Mesh, source: Peer, sql: &'static str) -> Result<Vec<T>, String>
where
    T: for<'r> sqlx::FromRow<'r, MySqlRow> + Send + Unpin,
{
    let mut connection = mesh.sql(source).await?;
    let found = sqlx::query_as(sql)
        .fetch_all(&mut connection)
        .await
        .map_err(|error| error.to_string())?;
    connection
        .close()
        .await
        .map_err(|error| error.to_string())?;
    Ok(found)
}

/// Compares what every peer holds with what was accepted; answers the records that differ. All rows say `success` by now, so those are
/// wrongly so.
async fn differences(mesh: &Mesh, clients: &[Client]) -> Vec<String> {
    let mut wrong = Vec::new();
    for peer in Peer::ALL {
        let mut held = mesh.records(peer).await.expect("records");
        for client in clients {
            let holds = client.source == peer || client.targets.contains(&peer);
            let expected = client.content.as_ref().filter(|_| holds).map(|content| {
                let hash = mesh.secrets.hash(client.source, &content.secret);
                [
                    json!(hash.expose()),
                    json!(content.rules),
                    json!(content.expires_at),
                ]
            });
            let found = held.remove(&client.name);
            let found = found.map(|record| RECORD.map(|field| record[field].clone()));
            if found != expected {
                let (should, does) = (expected.is_some(), found.is_some());
                wrong.push(format!(
                    "{} of {} at {} (there: {should}, is: {does})",
                    client.name,
                    client.source.name(),
                    peer.name()
                ));
            }
        }
        assert!(
            held.is_empty(),
            "{} holds {} clients that nobody made",
            peer.name(),
            held.len()
        );
    }
    wrong
}
