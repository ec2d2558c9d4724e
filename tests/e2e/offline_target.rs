//! A target that is away catches up by itself, and its queue does not grow while it is away.

use serde_json::json;

use crate::mesh::{Mesh, Options, Peer, until};

const SECRET: &str = "a secret for an offline target";

#[tokio::test]
async fn an_offline_target_catches_up() {
    let mut mesh = Mesh::start().await;
    let wire = mesh.wire().await;
    mesh.ensure(Peer::Authority, "first", SECRET, &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 3).await;

    mesh.stop_peer(Peer::Consumer).await;
    mesh.ensure(Peer::Authority, "second", SECRET, &Peer::Authority.others())
        .await;
    mesh.rotate(Peer::Authority, "first", "a rotated secret of the first")
        .await;
    until_status(&mesh, "consumer", "sent", 2).await;
    let queued = wire.waiting("consumer").await;
    assert_eq!(queued, 2, "one message for each changed client");
    for _ in 0..30 {
        let summary = mesh.accept(Peer::Authority, "/sync", &json!({})).await;
        assert_eq!(
            summary["targetsPublished"], 0,
            "nothing is due again: {summary}"
        );
    }
    assert_eq!(
        wire.waiting("consumer").await,
        queued,
        "30 syncs later no message more waits"
    );
    // The others are not kept waiting.
    mesh.until_converged(
        "second",
        &[Peer::LeptosAxum, Peer::LeptosActix],
        Some(&mesh.secrets.hash(Peer::Authority, SECRET)),
    )
    .await;

    mesh.start_peer(Peer::Consumer).await;
    mesh.until_success(Peer::Authority, 6).await;
    let rotated = mesh
        .secrets
        .hash(Peer::Authority, "a rotated secret of the first");
    mesh.until_converged("first", &Peer::ALL, Some(&rotated))
        .await;
    mesh.until_converged(
        "second",
        &Peer::ALL,
        Some(&mesh.secrets.hash(Peer::Authority, SECRET)),
    )
    .await;
    assert_eq!(wire.waiting("consumer").await, 0, "the queue is drained");
}

#[tokio::test]
async fn a_target_that_never_started_receives_what_was_before_it() {
    let mut mesh = Options::default().start_without_peers().await;
    mesh.start_peer(Peer::Authority).await;
    for number in 0..20 {
        mesh.ensure(
            Peer::Authority,
            &format!("early-{number}"),
            SECRET,
            &Peer::Authority.others(),
        )
        .await;
    }
    mesh.revoke(Peer::Authority, "early-0", &Peer::Authority.others())
        .await;
    for peer in Peer::Authority.others() {
        mesh.start_peer(peer).await;
    }
    mesh.until_success(Peer::Authority, 60).await;
    mesh.until_converged("early-0", &Peer::ALL, None).await;
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    for number in 1..20 {
        mesh.until_converged(&format!("early-{number}"), &Peer::ALL, Some(&hash))
            .await;
    }
}

#[tokio::test]
async fn a_message_that_was_lost_is_sent_again() {
    let mut mesh = Options::default()
        .everyone("RESEND_AFTER_MS", "1000")
        .start()
        .await;
    mesh.stop_peer(Peer::Consumer).await;
    mesh.ensure(Peer::Authority, "lost", SECRET, &[Peer::Consumer])
        .await;
    let wire = mesh.wire().await;
    let lost = wire.next("consumer").await;
    let again = wire.next("consumer").await;
    for field in [
        "op",
        "track",
        "clientId",
        "payload",
        "senderAmqpQueue",
        "propagationSecret",
    ] {
        assert_eq!(
            lost.body[field], again.body[field],
            "it is sent again with the same meaning"
        );
    }
    assert!(again.body["ts"].as_i64() >= lost.body["ts"].as_i64());
    mesh.start_peer(Peer::Consumer).await;
    mesh.until_success(Peer::Authority, 1).await;
    mesh.until_converged(
        "lost",
        &[Peer::Consumer],
        Some(&mesh.secrets.hash(Peer::Authority, SECRET)),
    )
    .await;
}

#[tokio::test]
async fn overlapping_syncs_publish_once() {
    const CLIENTS: u32 = 100;
    let by_hand = Options::default()
        .only(Peer::Authority, "SYNC_ON_CHANGE", "false")
        .only(Peer::Authority, "SYNC_INTERVAL_MS", "86400000");
    let mut mesh = by_hand.start().await;
    mesh.stop_peer(Peer::Consumer).await;
    for number in 0..CLIENTS {
        mesh.ensure(
            Peer::Authority,
            &format!("overlap-{number}"),
            SECRET,
            &[Peer::Consumer],
        )
        .await;
    }
    let wire = mesh.wire().await;
    assert_eq!(
        wire.waiting("consumer").await,
        0,
        "nothing is sent before a sync"
    );
    let nothing = json!({});
    let sync = || mesh.accept(Peer::Authority, "/sync", &nothing);
    let summaries = tokio::join!(
        sync(),
        sync(),
        sync(),
        sync(),
        sync(),
        sync(),
        sync(),
        sync()
    );
    until_status(&mesh, "consumer", "sent", CLIENTS as usize).await;
    assert_eq!(wire.waiting("consumer").await, CLIENTS, "{summaries:?}");
    assert_eq!(
        mesh.metric(Peer::Authority, "propagation_events_published_total")
            .await,
        f64::from(CLIENTS)
    );
    mesh.start_peer(Peer::Consumer).await;
    mesh.until_success(Peer::Authority, CLIENTS as usize).await;
}

#[tokio::test]
async fn one_bad_row_blocks_nobody() {
    let mesh = Options::default()
        .everyone("RESEND_AFTER_MS", "1000")
        .start()
        .await;
    let mut sql = mesh.sql(Peer::Authority).await.unwrap();
    let spoil = "UPDATE hmac_propagation_target SET propagation_secret = 'spoiled' WHERE target_amqp_queue = 'leptos-axum'";
    sqlx::query(spoil).execute(&mut sql).await.unwrap();
    for number in 0..5 {
        mesh.ensure(
            Peer::Authority,
            &format!("beside-{number}"),
            SECRET,
            &Peer::Authority.others(),
        )
        .await;
    }
    until_status(&mesh, "consumer", "success", 5).await;
    until_status(&mesh, "leptos-actix", "success", 5).await;
    until("the bad rows say why", async || {
        let rows = mesh.rows(Peer::Authority).await?;
        let told = rows
            .iter()
            .filter(|row| row.target == "leptos-axum" && row.reason.is_some())
            .count();
        if told == 5 {
            Ok(())
        } else {
            Err(format!("{rows:?}"))
        }
    })
    .await;
    let mended = json!({ "targetAmqpQueue": "leptos-axum", "propagationSecret": mesh.secrets.propagation(Peer::LeptosAxum) });
    mesh.accept(Peer::Authority, "/targets", &mended).await;
    mesh.until_success(Peer::Authority, 15).await;
}

async fn until_status(mesh: &Mesh, target: &str, status: &str, count: usize) {
    until(
        &format!("{count} rows of {target} are {status}"),
        async || {
            let rows = mesh.rows(Peer::Authority).await?;
            let found = rows
                .iter()
                .filter(|row| row.target == target && row.status == status)
                .count();
            if found == count {
                Ok(())
            } else {
                Err(format!("{rows:?}"))
            }
        },
    )
    .await;
}
