//! A peer's Redis fails in the ways a Redis fails, while changes and signed calls go on. No call is accepted meanwhile that should
//! not be, and when it works again everything converges.

use std::time::Duration;

use serde_json::json;

use crate::mesh::{Mesh, Options, Peer, Traffic, until};

const SOURCE: Peer = Peer::Authority;
const TARGET: Peer = Peer::Consumer;

/// So long a Redis refuses: longer than a call to it may take.
const A_WHILE: Duration = Duration::from_secs(8);

/// So long a Redis stands still: longer than anybody waits for it.
const LONG: Duration = Duration::from_secs(30);

async fn start() -> (Mesh, Traffic) {
    let mesh = Options::default()
        .everyone("RESEND_AFTER_MS", "2000")
        .start()
        .await;
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    (mesh, traffic)
}

/// Everything converges; calls were answered with 200 or, for want of Redis, with `refusal`.
async fn calls_were_refused(mesh: &Mesh, traffic: Traffic, refusal: u16) {
    mesh.until_all_ready().await;
    let seen = traffic.converges(mesh).await;
    seen.only(&[200, 503, refusal]);
    assert!(
        seen.answers.contains_key(&refusal),
        "no nonce is accepted without Redis: {:?}",
        seen.answers
    );
}

/// A store that answers with a refusal needs an operator (wire contract 1.3).
const REFUSED: u16 = 500;

/// A store that does not answer comes back by itself.
const AWAY: u16 = 503;

async fn command(mesh: &Mesh, peer: Peer, words: &[&str]) {
    let mut redis = mesh.redis(peer).await.expect("Redis");
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| {
        command.arg(word);
    });
    command.exec_async(&mut redis).await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stands_still_is_waited_for() {
    let (mut mesh, traffic) = start().await;
    for peer in [TARGET, SOURCE] {
        mesh.redis_of(peer).pause().await;
        mesh.until_missing(peer, "redis").await;
        tokio::time::sleep(LONG).await;
        mesh.redis_of(peer).resume().await;
        mesh.until_ready(peer).await;
        traffic.until_more(10).await;
    }
    calls_were_refused(&mesh, traffic, AWAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_only_reads_is_waited_for() {
    let (mesh, traffic) = start().await;
    for peer in [TARGET, SOURCE] {
        // A replica of nobody refuses every write.
        command(&mesh, peer, &["REPLICAOF", "127.0.0.1", "9"]).await;
        mesh.until_missing(peer, "redis").await;
        tokio::time::sleep(A_WHILE).await;
        command(&mesh, peer, &["REPLICAOF", "NO", "ONE"]).await;
        traffic.until_more(10).await;
    }
    calls_were_refused(&mesh, traffic, REFUSED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_without_room_is_waited_for() {
    let (mesh, traffic) = start().await;
    for peer in [TARGET, SOURCE] {
        command(&mesh, peer, &["CONFIG", "SET", "maxmemory", "1"]).await;
        mesh.until_missing(peer, "redis").await;
        tokio::time::sleep(A_WHILE).await;
        command(&mesh, peer, &["CONFIG", "SET", "maxmemory", "0"]).await;
        traffic.until_more(10).await;
    }
    calls_were_refused(&mesh, traffic, REFUSED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_lost_everything_is_filled_again() {
    let (mut mesh, traffic) = start().await;
    let held = traffic.hold_calls().await;
    mesh.redis_of(TARGET).kill().await;
    mesh.until_missing(TARGET, "redis").await;
    mesh.redis_of(TARGET).start().await;
    command(&mesh, TARGET, &["FLUSHALL"]).await;
    drop(held);
    mesh.until_ready(TARGET).await;
    mesh.until_refused(&[TARGET], &traffic.caller(&mesh), "UNKNOWN_CLIENT")
        .await;
    traffic.until_more(10).await;
    let body = json!({ "target": TARGET.name() });
    until("the target is sent everything again", async || {
        mesh.post(SOURCE, "/resync", &body)
            .await?
            .is(SOURCE.surface().1)
    })
    .await;
    mesh.until_all_ready().await;
    traffic.converges(&mesh).await.only(&[200, 401, 503]);
}
