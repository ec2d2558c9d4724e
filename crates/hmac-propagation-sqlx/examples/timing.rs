//! Times each call of the store against a database: `cargo run --example timing -- mysql://root@127.0.0.1:3306/schema`.
//! The schema should be empty and its own; the floor (an empty committed write) is measured beside it.
#![expect(clippy::print_stdout, reason = "a table for whoever runs it")]

use std::error::Error;
use std::time::Instant;

use hmac_auth::{Change, ClientId, Clock, Secret, SystemClock, hash_client_secret};
use hmac_propagation::management::{
    AckMark, ChangeOperation, ChangeRequest, FullyPropagated, Management, PendingQuery, SentMark,
};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, FinalStatus, Track};
use hmac_propagation::queue::PeerName;
use hmac_propagation_sqlx::{SecretsKey, SqlManagement, SqlOptions};

const CLIENTS: usize = 2_000;
const PAGE: usize = 1_000;
const SINGLES: usize = 500;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "sqlite:timing.db".to_owned());
    let store =
        SqlManagement::connect(&url, SecretsKey::new([1; 32]), SqlOptions::default()).await?;
    let now = SystemClock.now_ms();
    let targets = [PeerName::parse("target-a")?, PeerName::parse("target-b")?];
    for target in &targets {
        store
            .seed_target(target, &Secret::new("propagation-secret"), false, None, now)
            .await?;
    }
    singles(&store, &targets, now).await?;
    let requests = (0..CLIENTS).map(|n| ensure(&format!("bulk-{n}"), &targets, now));
    let requests = requests.collect::<Result<Vec<_>, _>>()?;
    let timer = Timer::start(&store);
    for result in store.upsert_credentials_with_targets(&requests).await {
        result?;
    }
    timer.stop(&store, "ensure, batch, 2 targets", CLIENTS);
    pages(&store, now).await?;
    Ok(())
}

fn ensure(
    client: &str,
    targets: &[PeerName],
    now_ms: i64,
) -> Result<ChangeRequest, Box<dyn Error>> {
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    let operation = ChangeOperation::Ensure {
        secret_hash: hash_client_secret(&secret, None),
        allowed_ips: Change::Keep,
        expires_at: Change::Keep,
    };
    let key = CredentialKey {
        track: Track::Http,
        client_id: ClientId::parse(client)?,
    };
    Ok(ChangeRequest {
        key,
        operation,
        targets: targets.to_vec(),
        now_ms,
        floor_ts: None,
        origin: Origin::default(),
    })
}

async fn singles(
    store: &SqlManagement,
    targets: &[PeerName],
    now: i64,
) -> Result<(), Box<dyn Error>> {
    let timer = Timer::start(store);
    for n in 0..SINGLES {
        store
            .seed_target(
                &targets[0],
                &Secret::new("propagation-secret"),
                false,
                None,
                now + n as i64,
            )
            .await?;
    }
    timer.stop(
        store,
        "floor: one row updated and committed (4 round trips)",
        SINGLES,
    );
    for what in ["ensure, new, 2 targets", "ensure, known, 2 targets"] {
        let timer = Timer::start(store);
        for n in 0..SINGLES {
            let request = ensure(&format!("single-{n}"), targets, now)?;
            store.upsert_credential_with_targets(&request).await?;
        }
        timer.stop(store, what, SINGLES);
    }
    Ok(())
}

async fn pages(store: &SqlManagement, now: i64) -> Result<(), Box<dyn Error>> {
    for page in 0..4u128 {
        let query = PendingQuery {
            now_ms: now,
            resend_after_ms: 60_000,
            overdue: true,
            lease_ms: 30_000,
            limit: PAGE,
            source: PeerName::parse("authority")?,
            randoms: (0..PAGE)
                .map(|n| ((page << 64) + n as u128).to_be_bytes())
                .collect(),
            origin: Origin::default(),
        };
        let timer = Timer::start(store);
        let rows = store.fetch_pending_propagations(&query).await?;
        timer.stop(store, "claim", rows.len());
        let (mut sent, mut acknowledged, mut done) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let target = PeerName::parse(&row.target)?;
            let (key, generation) = (row.key, row.generation);
            done.push(FullyPropagated {
                key: key.clone(),
                status: FinalStatus::Success,
                at_ms: now,
            });
            acknowledged.push(AckMark {
                key: key.clone(),
                target,
                generation,
                event_id: row.event_id.clone(),
                sent_at: now,
                at_ms: now,
                outcome: Ok(()),
            });
            let (target, event_id) = (row.target, row.event_id);
            sent.push(SentMark {
                key,
                target,
                generation,
                event_id,
                at_ms: now,
                outcome: Ok(()),
            });
        }
        let timer = Timer::start(store);
        store.mark_targets_sent(&sent).await?;
        timer.stop(store, "mark sent", sent.len());
        let timer = Timer::start(store);
        store.mark_targets_acknowledged(&acknowledged).await?;
        timer.stop(store, "mark acknowledged", acknowledged.len());
        done.dedup_by(|one, other| one.key == other.key);
        let timer = Timer::start(store);
        store.mark_credentials_fully_propagated(&done).await?;
        timer.stop(store, "mark fully propagated", done.len());
    }
    Ok(())
}

struct Timer {
    started: Instant,
    statements: u64,
}

impl Timer {
    fn start(store: &SqlManagement) -> Self {
        Self {
            started: Instant::now(),
            statements: store.statements(),
        }
    }

    fn stop(self, store: &SqlManagement, what: &str, items: usize) {
        let elapsed = self.started.elapsed();
        let statements = store.statements() - self.statements;
        let each = elapsed.as_secs_f64() * 1_000.0 / items.max(1) as f64;
        println!(
            "{what:<55} {items:>5} items {:>9.2} ms {each:>8.3} ms each {statements:>6} statements",
            elapsed.as_secs_f64() * 1_000.0
        );
    }
}
