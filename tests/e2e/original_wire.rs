//! One mesh with peers of the original: what they send is applied and answered, what we send has their shape.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::mesh::{Mesh, Options, Peer, Wire, now_ms, until};

const CAPTURED: &str = include_str!("../vectors/captured-events.json");
const SECRET: &str = "a secret on the wire";

/// An event of the original as it was captured, by its operation and client, re-addressed to a peer of ours.
fn captured(operation: &str, client: &str, secret: &str, sender: &str) -> Value {
    let captured: Value = serde_json::from_str(CAPTURED).unwrap();
    let bodies = captured["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["body"].as_str().unwrap());
    let mut events = bodies.map(|body| serde_json::from_str::<Value>(body).unwrap());
    let mut event = events
        .find(|event| event["op"] == operation && event["clientId"] == client)
        .unwrap();
    event["propagationSecret"] = json!(secret);
    event["senderAmqpQueue"] = json!(sender);
    event
}

#[tokio::test]
async fn events_of_the_original_are_applied_and_answered() {
    let mesh = Mesh::start().await;
    let wire = mesh.wire().await;
    wire.declare("original").await;
    let secret = mesh.secrets.propagation(Peer::Consumer).to_owned();
    for operation in [
        "credential.create",
        "credential.update",
        "credential.delete",
    ] {
        let event = captured(operation, "client_demo", &secret, "original");
        wire.publish("consumer", event.to_string().as_bytes()).await;
        let answer = wire.next("original").await.body;
        assert_eq!(answer["op"], "credential.ack");
        assert_eq!(answer["ackEventId"], event["eventId"]);
        assert_eq!(
            (&answer["ackResult"], &answer["ackReason"]),
            (&json!("applied"), &Value::Null),
            "{answer}"
        );
        assert_eq!(answer["senderAmqpQueue"], "consumer");
        assert_eq!(
            answer["propagationSecret"], "",
            "an unknown source's secret is unknown"
        );
        let record = mesh.record(Peer::Consumer, "client_demo").await.unwrap();
        if operation == "credential.delete" {
            assert_eq!(record, None);
            continue;
        }
        let record = record.expect("a record");
        for field in ["secretHash", "allowedIps", "expiresAt"] {
            assert_eq!(
                record[field], event["payload"][field],
                "{operation}: {record}"
            );
        }
    }
    // Rules that are absent are none; a stale event is answered as applied and writes nothing.
    let event = captured("credential.create", "client_two", &secret, "original");
    wire.publish("consumer", event.to_string().as_bytes()).await;
    wire.publish(
        "consumer",
        captured("credential.create", "client_demo", &secret, "original")
            .to_string()
            .as_bytes(),
    )
    .await;
    for _ in 0..2 {
        assert_eq!(wire.next("original").await.body["ackResult"], "applied");
    }
    assert_eq!(
        mesh.record(Peer::Consumer, "client_two")
            .await
            .unwrap()
            .unwrap()["allowedIps"],
        json!([])
    );
    assert_eq!(
        mesh.record(Peer::Consumer, "client_demo").await.unwrap(),
        None,
        "revoked stays revoked"
    );
}

#[tokio::test]
async fn a_known_source_gets_its_own_secret_back() {
    let mesh = Mesh::start().await;
    let wire = mesh.wire().await;
    let target =
        json!({ "targetAmqpQueue": "original", "propagationSecret": "secret-of-the-original" });
    mesh.accept(Peer::Authority, "/targets", &target).await;
    wire.declare("original").await;
    let event = captured(
        "credential.create",
        "client_demo",
        mesh.secrets.propagation(Peer::Authority),
        "original",
    );
    wire.publish("authority", event.to_string().as_bytes())
        .await;
    let answer = wire.next("original").await.body;
    assert_eq!(answer["propagationSecret"], "secret-of-the-original");
    assert_eq!(answer["ackEventId"], event["eventId"]);
}

#[tokio::test]
async fn what_we_publish_has_the_shape_of_the_original() {
    let mesh = Mesh::start().await;
    let wire = mesh.wire().await;
    let target =
        json!({ "targetAmqpQueue": "original", "propagationSecret": "secret-of-the-original" });
    mesh.accept(Peer::Authority, "/targets", &target).await;
    let ensure = json!({ "clientId": "shape", "secret": SECRET, "targets": ["original"],
        "allowedIps": ["10.0.0.0/8"], "expiresAt": 4_102_444_800_000_i64 });
    mesh.accept(Peer::Authority, "/ensure", &ensure).await;
    let create = wire.next("original").await;
    check_properties(&create.properties, &create.body);
    check_event(&create.body, "credential.create");
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    let payload = json!({ "secretHash": hash.expose(), "allowedIps": ["10.0.0.0/8"], "expiresAt": 4_102_444_800_000_i64 });
    assert_eq!(create.body["payload"], payload);
    answer(
        &wire,
        "authority",
        &create.body,
        mesh.secrets.propagation(Peer::Authority),
    )
    .await;
    mesh.until_success(Peer::Authority, 1).await;

    mesh.rotate(Peer::Authority, "shape", "a rotated secret on the wire")
        .await;
    let update = wire.next("original").await.body;
    check_event(&update, "credential.update");
    let rotated = mesh
        .secrets
        .hash(Peer::Authority, "a rotated secret on the wire");
    assert_eq!(update["payload"]["secretHash"], rotated.expose());
    assert!(
        update["ts"].as_i64() > create.body["ts"].as_i64(),
        "the time strictly rises"
    );
    answer(
        &wire,
        "authority",
        &update,
        mesh.secrets.propagation(Peer::Authority),
    )
    .await;
    mesh.until_success(Peer::Authority, 1).await;

    let revoke = json!({ "clientId": "shape", "targets": ["original"] });
    mesh.accept(Peer::Authority, "/revoke", &revoke).await;
    let delete = wire.next("original").await.body;
    check_event(&delete, "credential.delete");
    assert_eq!(delete["payload"]["secretHash"], "");
    assert_eq!(delete["payload"]["expiresAt"], Value::Null);
    answer(
        &wire,
        "authority",
        &delete,
        mesh.secrets.propagation(Peer::Authority),
    )
    .await;
    mesh.until_success(Peer::Authority, 1).await;
}

#[tokio::test]
async fn unsigned_acks_count_only_where_they_are_allowed() {
    let allowed = Options::default().only(Peer::Authority, "UNSIGNED_ACK_TARGETS", "original");
    let mesh = allowed.start().await;
    let wire = mesh.wire().await;
    for source in [Peer::Authority, Peer::LeptosAxum] {
        let target =
            json!({ "targetAmqpQueue": "original", "propagationSecret": "secret-of-the-original" });
        mesh.accept(source, "/targets", &target).await;
        let ensure = json!({ "clientId": "unsigned", "secret": SECRET, "targets": ["original"] });
        mesh.accept(source, "/ensure", &ensure).await;
        let event = wire.next("original").await.body;
        assert_eq!(event["senderAmqpQueue"], source.name());
        answer(&wire, source.name(), &event, "").await;
    }
    mesh.until_success(Peer::Authority, 1).await;
    mesh.until_metric(Peer::LeptosAxum, "propagation_messages_dropped_total", 1.0)
        .await;
    // The mark that a row was sent is written a moment late; a completed row would never say so.
    until_sent(&mesh, Peer::LeptosAxum, "unsigned").await;
}

#[tokio::test]
async fn an_ack_counts_only_from_its_target() {
    let mesh = Mesh::start().await;
    let wire = mesh.wire().await;
    let target =
        json!({ "targetAmqpQueue": "original", "propagationSecret": "secret-of-the-original" });
    mesh.accept(Peer::Authority, "/targets", &target).await;
    let ensure = json!({ "clientId": "claimed", "secret": SECRET, "targets": ["original"] });
    mesh.accept(Peer::Authority, "/ensure", &ensure).await;
    let event = wire.next("original").await.body;
    let mut forged = ack(&event, mesh.secrets.propagation(Peer::Authority));
    forged["senderAmqpQueue"] = json!("consumer");
    wire.publish("authority", forged.to_string().as_bytes())
        .await;
    // Once a later ack is booked, the forged one before it was seen.
    mesh.ensure(Peer::Authority, "later", SECRET, &[Peer::Consumer])
        .await;
    until("the later client's row is success", async || {
        let rows = mesh.rows(Peer::Authority).await?;
        let later = rows
            .iter()
            .any(|row| row.client == "later" && row.status == "success");
        if later {
            Ok(())
        } else {
            Err(format!("{rows:?}"))
        }
    })
    .await;
    // The mark that a row was sent is written a moment late; somebody else's ack would have completed the row before.
    until_sent(&mesh, Peer::Authority, "claimed").await;
    answer(
        &wire,
        "authority",
        &event,
        mesh.secrets.propagation(Peer::Authority),
    )
    .await;
    mesh.until_success(Peer::Authority, 2).await;
}

async fn until_sent(mesh: &Mesh, peer: Peer, client: &str) {
    until("the client's row is sent, and not success", async || {
        let rows = mesh.rows(peer).await?;
        let row = rows
            .iter()
            .find(|row| row.client == client)
            .ok_or("no row")?;
        assert_ne!(
            row.status, "success",
            "nothing may complete this row: {rows:?}"
        );
        if row.status == "sent" {
            Ok(())
        } else {
            Err(format!("{rows:?}"))
        }
    })
    .await;
}

fn check_properties(properties: &lapin::BasicProperties, body: &Value) {
    let text = |value: &Option<lapin::types::ShortString>| {
        value.as_ref().map(|text| text.as_str().to_owned())
    };
    assert_eq!(
        text(properties.content_type()).as_deref(),
        Some("application/json")
    );
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(
        text(properties.message_id()).as_deref(),
        body["eventId"].as_str()
    );
    assert!(
        properties
            .headers()
            .as_ref()
            .is_none_or(|headers| headers.inner().is_empty())
    );
}

fn check_event(event: &Value, operation: &str) {
    let names: BTreeSet<&str> = event
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "clientId",
        "eventId",
        "op",
        "payload",
        "propagationSecret",
        "senderAmqpQueue",
        "track",
        "ts",
    ];
    assert_eq!(names, BTreeSet::from(expected), "{event}");
    assert_eq!(event["op"], operation);
    assert_eq!(event["track"], "http");
    assert_eq!(event["clientId"], "shape");
    assert_eq!(event["propagationSecret"], "secret-of-the-original");
    assert_eq!(event["senderAmqpQueue"], "authority");
    let id = event["eventId"].as_str().unwrap();
    assert!(
        id.len() == 36 && id.as_bytes()[14] == b'4',
        "a UUID of version 4: {id}"
    );
    let ts = event["ts"].as_i64().expect("epoch milliseconds");
    assert!((now_ms() - ts).abs() < 120_000, "{ts}");
    let fields: BTreeSet<&str> = event["payload"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert!(
        fields.is_subset(&BTreeSet::from(["allowedIps", "expiresAt", "secretHash"])),
        "{event}"
    );
    assert!(fields.contains("secretHash"));
}

fn ack(event: &Value, secret: &str) -> Value {
    json!({ "eventId": "7f2f1f10-7c56-4f6f-9d43-0f6a51a4a0c1", "ts": now_ms(), "propagationSecret": secret,
        "senderAmqpQueue": "original", "op": "credential.ack", "ackEventId": event["eventId"],
        "ackResult": "applied", "ackReason": null })
}

async fn answer(wire: &Wire, source: &str, event: &Value, secret: &str) {
    wire.publish(source, ack(event, secret).to_string().as_bytes())
        .await;
}
