//! The inventory: targets are added and deleted, the peer itself and targets in use are not.

use redis::AsyncCommands;
use serde_json::json;

use crate::mesh::{Mesh, Options, Peer};

const SECRET: &str = "a secret for a new target";

#[tokio::test]
async fn a_target_is_added_used_and_deleted() {
    let mesh = Mesh::start().await;
    let newcomer = json!({ "targetAmqpQueue": "newcomer", "propagationSecret": "entry-of-newcomer", "note": "soon" });
    let answer = mesh.accept(Peer::Authority, "/targets", &newcomer).await;
    assert_eq!(
        answer,
        json!({ "op": "target.create", "targetAmqpQueue": "newcomer" })
    );
    let answer = mesh.accept(Peer::Authority, "/targets", &newcomer).await;
    assert_eq!(answer["op"], "target.update");

    // It never started, and receives all the same as soon as it has a queue (who may make it: `rights.rs`).
    let wire = mesh.wire().await;
    wire.declare("newcomer").await;
    let body = json!({ "clientId": "early", "secret": SECRET, "targets": ["newcomer"] });
    mesh.accept(Peer::Authority, "/ensure", &body).await;
    mesh.until_row(Peer::Authority, "early", |row| row.status == "sent")
        .await;
    let message = wire.next("newcomer").await;
    assert_eq!(message.body["propagationSecret"], "entry-of-newcomer");

    let answer = mesh.delete_target(Peer::Authority, "newcomer").await;
    let answer = answer
        .refused(409, "TARGET_IN_USE")
        .expect("a client is booked for it");
    assert!(
        answer.body["message"].as_str().unwrap().contains('1'),
        "{answer}"
    );

    let unused = json!({ "targetAmqpQueue": "unused", "propagationSecret": "entry-of-unused" });
    mesh.accept(Peer::Authority, "/targets", &unused).await;
    let answer = mesh.delete_target(Peer::Authority, "unused").await;
    assert_eq!(
        (answer.status, &answer.body["op"]),
        (200, &json!("target.delete")),
        "{answer}"
    );
    mesh.delete_target(Peer::Authority, "unused")
        .await
        .refused(404, "UNKNOWN_TARGET")
        .unwrap();
}

#[tokio::test]
async fn a_peer_is_no_target_of_its_own() {
    let mesh = Mesh::start().await;
    for peer in [Peer::Authority, Peer::LeptosAxum, Peer::LeptosActix] {
        let answer = mesh.delete_target(peer, peer.name()).await;
        assert_eq!(
            answer.status, 400,
            "the self row signs acks and stays: {answer}"
        );
        let put = json!({ "targetAmqpQueue": peer.name(), "propagationSecret": "another" });
        let answer = mesh.post(peer, "/targets", &put).await.unwrap();
        assert_eq!(answer.status, 400, "{answer}");
        let body = json!({ "clientId": "loop", "secret": SECRET, "targets": [peer.name()] });
        let answer = mesh.post(peer, "/ensure", &body).await.unwrap();
        assert_eq!(
            (answer.status, &answer.body["field"]),
            (400, &json!("targets")),
            "{answer}"
        );
        assert_eq!(
            mesh.record(peer, "loop").await.unwrap(),
            None,
            "nothing is written"
        );
    }
}

#[tokio::test]
async fn a_changed_entry_secret_heals_what_was_refused() {
    let mesh = Options::default()
        .everyone("RESEND_AFTER_MS", "500")
        .start()
        .await;
    let with = |secret: &str| json!({ "targetAmqpQueue": "consumer", "propagationSecret": secret });
    mesh.accept(Peer::Authority, "/targets", &with("not the consumer's"))
        .await;
    mesh.ensure(Peer::Authority, "late", SECRET, &[Peer::Consumer])
        .await;
    mesh.until_metric(Peer::Consumer, "propagation_messages_dropped_total", 1.0)
        .await;
    assert_eq!(mesh.record(Peer::Consumer, "late").await.unwrap(), None);
    mesh.accept(
        Peer::Authority,
        "/targets",
        &with(mesh.secrets.propagation(Peer::Consumer)),
    )
    .await;
    mesh.until_success(Peer::Authority, 1).await;
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    mesh.until_converged("late", &[Peer::Consumer], Some(&hash))
        .await;
}

#[tokio::test]
async fn a_new_peer_can_be_bootstrapped() {
    let mut mesh = Mesh::start().await;
    for client in ["kept", "other", "revoked"] {
        mesh.ensure(Peer::Authority, client, SECRET, &[Peer::Consumer])
            .await;
    }
    mesh.until_success(Peer::Authority, 3).await;
    let mut redis = mesh.redis(Peer::Consumer).await.unwrap();
    let before_it_was_revoked: String = redis.hget("hmac:http:clients", "revoked").await.unwrap();
    mesh.revoke(Peer::Authority, "revoked", &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::Authority, 3).await;
    // The consumer comes back with what somebody else left in its store; only hashes are left at the source.
    mesh.stop_peer(Peer::Consumer).await;
    redis::cmd("FLUSHALL").exec_async(&mut redis).await.unwrap();
    let _: () = redis
        .hset("hmac:http:clients", "revoked", before_it_was_revoked)
        .await
        .unwrap();
    mesh.start_peer(Peer::Consumer).await;
    let answer = mesh
        .accept(Peer::Authority, "/resync", &json!({ "target": "consumer" }))
        .await;
    assert!(answer["durationMs"].is_number(), "{answer}");
    assert_eq!(
        answer["targetsPublished"], 3,
        "the revocation included: {answer}"
    );
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    mesh.until_converged("kept", &[Peer::Consumer], Some(&hash))
        .await;
    mesh.until_converged("other", &[Peer::Consumer], Some(&hash))
        .await;
    mesh.until_converged("revoked", &[Peer::Consumer], None)
        .await;
    mesh.until_success(Peer::Authority, 3).await;
}
