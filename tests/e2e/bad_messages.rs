//! Malformed, forged, oversized, far-future and unknown messages are settled with a reason; the next good one is applied.

use serde_json::{Value, json};

use crate::mesh::{Mesh, Peer, now_ms};

const HASH: &str = "a1a63fc8ea5505ef37745cf22b6388bcc7ce118c19ce732c1a5aedfd4592ce2c";

/// A good event for the consumer, which a case then spoils.
fn event(secret: &str, number: usize) -> Value {
    json!({ "eventId": format!("00000000-0000-4000-8000-{number:012}"), "ts": now_ms(), "propagationSecret": secret,
        "senderAmqpQueue": "original", "op": "credential.create", "track": "http", "clientId": "spoiled",
        "payload": { "secretHash": HASH, "allowedIps": ["127.0.0.1"], "expiresAt": null } })
}

/// Not answered: nobody knows whom, or whether it was meant.
fn dropped(secret: &str) -> Vec<Vec<u8>> {
    let spoil = |name: &str, value: Value| {
        let mut event = event(secret, 1);
        event[name] = value;
        event.to_string().into_bytes()
    };
    let mut bodies = vec![
        Vec::new(),
        b"{".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        "[".repeat(100_000).into_bytes(),
        vec![b' '; 300 * 1024],
        spoil("padding", json!("x".repeat(300 * 1024))),
        spoil("propagationSecret", json!("forged")),
        spoil("propagationSecret", json!("")),
        spoil("propagationSecret", json!(null)),
        spoil("eventId", json!("")),
        spoil("eventId", json!(7)),
        spoil("ts", json!("now")),
        spoil("op", json!("credential.steal")),
        spoil("op", json!(1)),
        spoil("senderAmqpQueue", json!("")),
    ];
    let ack = json!({ "eventId": "1", "ts": now_ms(), "propagationSecret": secret, "senderAmqpQueue": "original",
        "op": "credential.ack", "ackEventId": "unknown", "ackResult": "applied", "ackReason": null });
    bodies.push(ack.to_string().into_bytes());
    let mut odd = ack;
    odd["ackResult"] = json!("perhaps");
    bodies.push(odd.to_string().into_bytes());
    bodies
}

/// Answered with `error` and a reason.
fn refused(secret: &str) -> Vec<Value> {
    let mut number = 100;
    let mut spoil = |pointer: &str, value: Value| {
        number += 1;
        let mut event = event(secret, number);
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = value;
        event
    };
    vec![
        spoil("/track", json!("smtp")),
        spoil("/track", json!(null)),
        spoil("/clientId", json!("")),
        spoil("/clientId", json!("x".repeat(129))),
        spoil("/clientId", json!(5)),
        spoil("/payload", json!(null)),
        spoil("/payload", json!("text")),
        spoil("/payload/secretHash", json!("")),
        spoil("/payload/secretHash", json!("zz")),
        spoil("/payload/secretHash", json!(1)),
        spoil("/payload/allowedIps", json!(["nonsense"])),
        spoil("/payload/allowedIps", json!("127.0.0.1")),
        spoil("/payload/expiresAt", json!("never")),
        spoil("/ts", json!(now_ms() + 25 * 60 * 60 * 1_000)),
        spoil("/ts", json!(1.5)),
    ]
}

#[tokio::test]
async fn one_bad_message_blocks_nobody() {
    let mesh = Mesh::start().await;
    let wire = mesh.wire().await;
    wire.declare("original").await;
    for peer in [Peer::Consumer, Peer::Authority] {
        let secret = mesh.secrets.propagation(peer).to_owned();
        let target =
            json!({ "targetAmqpQueue": "original", "propagationSecret": "secret-of-the-original" });
        if peer.is_full() {
            mesh.accept(peer, "/targets", &target).await;
        }
        for body in dropped(&secret) {
            wire.publish(peer.name(), &body).await;
        }
        for event in refused(&secret) {
            wire.publish(peer.name(), event.to_string().as_bytes())
                .await;
            let answer = wire.next("original").await.body;
            assert_eq!(
                answer["ackEventId"], event["eventId"],
                "{answer} to {event}"
            );
            assert_eq!(answer["ackResult"], "error", "{answer} to {event}");
            assert!(
                answer["ackReason"]
                    .as_str()
                    .is_some_and(|reason| !reason.is_empty()),
                "{answer}"
            );
        }
        assert_eq!(
            mesh.record(peer, "spoiled").await.unwrap(),
            None,
            "nothing is written"
        );
        let cursors = mesh.keys(peer, "propagation:last-seen:*").await;
        assert!(cursors.is_empty(), "nothing is written: {cursors:?}");

        let mut good = event(&secret, 999);
        good["unknownField"] = json!("ignored");
        wire.publish(peer.name(), good.to_string().as_bytes()).await;
        let answer = wire.next("original").await.body;
        assert_eq!(answer["ackResult"], "applied", "{answer}");
        assert_eq!(
            mesh.record(peer, "spoiled").await.unwrap().unwrap()["secretHash"],
            HASH
        );
        assert_eq!(
            wire.waiting(peer.name()).await,
            0,
            "all of them are settled"
        );
        let counted = mesh.metric(peer, "propagation_events_refused_total").await;
        assert_eq!(
            counted,
            refused(&secret).len() as f64,
            "each was looked at once"
        );
    }
}

#[tokio::test]
async fn a_sender_that_cannot_be_answered_blocks_nobody() {
    let mesh = Mesh::start().await;
    let wire = mesh.wire().await;
    let secret = mesh.secrets.propagation(Peer::Consumer).to_owned();
    for (number, sender) in ["no such name!", "../../etc", "nobody-declared-this"]
        .into_iter()
        .enumerate()
    {
        let mut event = event(&secret, number);
        event["senderAmqpQueue"] = json!(sender);
        event["clientId"] = json!(format!("from-{number}"));
        wire.publish("consumer", event.to_string().as_bytes()).await;
    }
    mesh.ensure(
        Peer::Authority,
        "after",
        "a secret after that",
        &[Peer::Consumer],
    )
    .await;
    mesh.until_success(Peer::Authority, 1).await;
    assert_eq!(wire.waiting("consumer").await, 0);
}

#[tokio::test]
async fn an_older_change_never_overwrites_a_newer_one() {
    let mesh = Mesh::start().await;
    let wire = mesh.wire().await;
    wire.declare("original").await;
    let secret = mesh.secrets.propagation(Peer::Consumer).to_owned();
    let now = now_ms();
    let older = "0".repeat(64);
    // Within one millisecond the greater event id wins; what is older loses, however often it comes.
    for (number, ts, hash) in [
        (5, now, HASH),
        (4, now, &*older),
        (9, now - 1, &*older),
        (5, now, &*older),
    ] {
        let mut event = event(&secret, number);
        event["ts"] = json!(ts);
        event["payload"]["secretHash"] = json!(hash);
        wire.publish("consumer", event.to_string().as_bytes()).await;
        assert_eq!(wire.next("original").await.body["ackResult"], "applied");
        assert_eq!(
            mesh.record(Peer::Consumer, "spoiled")
                .await
                .unwrap()
                .unwrap()["secretHash"],
            HASH
        );
    }
    let mut newer = event(&secret, 6);
    newer["ts"] = json!(now);
    newer["payload"]["secretHash"] = json!(older);
    wire.publish("consumer", newer.to_string().as_bytes()).await;
    assert_eq!(wire.next("original").await.body["ackResult"], "applied");
    assert_eq!(
        mesh.record(Peer::Consumer, "spoiled")
            .await
            .unwrap()
            .unwrap()["secretHash"],
        older.as_str()
    );
}
