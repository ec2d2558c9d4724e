//! A peer of ours takes the place of one of the original, on its Redis and its queue (`docs/migrating-from-node.md`).

use hmac_auth::secret_hash::SecretHash;
use redis::AsyncCommands;
use serde_json::{Value, json};

use crate::mesh::{Caller, Mesh, Options, Peer, now_ms, until};

/// Shorter than one that may be made here.
const SECRET: &str = "from before";

/// What the original left in a peer's Redis: records, one of them as a bare hash, and the cursors.
async fn leave_behind(mesh: &Mesh, peer: Peer, hash: &SecretHash, cursor: i64) {
    let mut redis = mesh.redis(peer).await.expect("Redis");
    let record = json!({ "secretHash": hash.expose(), "createdAt": cursor, "updatedAt": cursor, "expiresAt": null, "allowedIps": [] });
    let _: () = redis
        .hset("hmac:http:clients", "old", record.to_string())
        .await
        .expect("a record");
    let _: () = redis
        .hset("hmac:http:clients", "legacy", hash.expose())
        .await
        .expect("a record");
    for client in ["old", "legacy"] {
        let fields = [
            ("ts", cursor.to_string()),
            ("eventId", "11111111-1111-4111-8111-111111111111".to_owned()),
        ];
        let _: () = redis
            .hset_multiple(format!("propagation:last-seen:http:{client}"), &fields)
            .await
            .expect("a cursor");
    }
}

fn event(mesh: &Mesh, ts: i64, hash: &SecretHash) -> Value {
    json!({ "eventId": format!("22222222-2222-4222-8222-{:012}", ts % 1_000_000_000_000), "ts": ts, "propagationSecret": mesh.secrets.propagation(Peer::Consumer),
        "senderAmqpQueue": "original", "op": "credential.update", "track": "http", "clientId": "old",
        "payload": { "secretHash": hash.expose() } })
}

#[tokio::test]
async fn a_receive_only_peer_takes_over_redis_and_queue() {
    let mut mesh = Options::default().start_without_peers().await;
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    let newer = mesh.secrets.hash(Peer::Authority, "a secret after");
    let cursor = now_ms() - 60_000;
    leave_behind(&mesh, Peer::Consumer, &hash, cursor).await;
    // What waited in the queue meanwhile: something older than the cursor, and something newer.
    let wire = mesh.wire().await;
    wire.declare("consumer").await;
    wire.declare("original").await;
    let stale = mesh.secrets.hash(Peer::LeptosAxum, SECRET);
    wire.publish(
        "consumer",
        event(&mesh, cursor - 5, &stale).to_string().as_bytes(),
    )
    .await;
    mesh.set(
        Peer::Consumer,
        "PROPAGATION_SOURCES",
        "original=secret-of-the-original",
    );
    mesh.start_peer(Peer::Consumer).await;
    let answer = wire.next("original").await.body;
    assert_eq!(
        answer["ackResult"], "applied",
        "older, so nothing is written: {answer}"
    );
    assert_eq!(
        answer["propagationSecret"], "secret-of-the-original",
        "an answer that the original books"
    );
    for client in ["old", "legacy"] {
        mesh.until_let_in(&[Peer::Consumer], &Caller::new(client, hash.clone()))
            .await;
    }
    wire.publish(
        "consumer",
        event(&mesh, cursor + 5, &newer).to_string().as_bytes(),
    )
    .await;
    assert_eq!(wire.next("original").await.body["ackResult"], "applied");
    mesh.until_converged("old", &[Peer::Consumer], Some(&newer))
        .await;
}

#[tokio::test]
async fn a_source_takes_over_clients_that_its_schema_does_not_know() {
    let options = Options::default().only(Peer::Authority, "MIN_SECRET_BYTES", "11");
    let mut mesh = options.start_without_peers().await;
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    for peer in Peer::ALL {
        leave_behind(&mesh, peer, &hash, now_ms() - 1_000).await;
        mesh.launch(peer).await;
    }
    for peer in Peer::ALL {
        mesh.until_ready(peer).await;
    }
    mesh.until_let_in(&Peer::ALL, &Caller::new("legacy", hash.clone()))
        .await;
    // Unknown to the schema: a rotation says so, an ensure adopts, a revoke reaches everybody.
    let rotate = json!({ "clientId": "old", "secret": "the first secret of ours" });
    mesh.post(Peer::Authority, "/rotate", &rotate)
        .await
        .unwrap()
        .refused(404, "UNKNOWN_CLIENT")
        .unwrap();
    mesh.ensure(
        Peer::Authority,
        "old",
        "the first secret of ours",
        &Peer::Authority.others(),
    )
    .await;
    // The same secret once more: nobody is refused meanwhile, and the client is adopted.
    mesh.ensure(Peer::Authority, "legacy", SECRET, &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 6).await;
    mesh.until_let_in(&Peer::ALL, &Caller::new("legacy", hash.clone()))
        .await;
    until_adopted(&mesh, "legacy").await;
    mesh.revoke(Peer::Authority, "legacy", &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 6).await;
    let ours = mesh
        .secrets
        .hash(Peer::Authority, "the first secret of ours");
    mesh.until_converged("old", &Peer::ALL, Some(&ours)).await;
    mesh.until_converged("legacy", &Peer::ALL, None).await;
}

/// As the page says it is seen, also on a peer without a dashboard.
async fn until_adopted(mesh: &Mesh, client: &str) {
    let path = format!("/api/mesh?filter={client}");
    until("the client is adopted", async || {
        let page = mesh.get(Peer::Authority, &path).await?.body;
        let row = &page["clients"][0];
        match (row["own"].as_bool(), row["attention"].as_bool()) {
            (Some(true), Some(false)) => Ok(()),
            _ => Err(page.to_string()),
        }
    })
    .await;
}

#[tokio::test]
async fn tables_of_another_shape_are_left_alone_and_said() {
    let mut mesh = Options::default().start_without_peers().await;
    let mut connection = mesh.sql(Peer::Authority).await.expect("SQL");
    let foreign = "CREATE TABLE hmac_credential (client_id VARCHAR(128) PRIMARY KEY, something INT); \
                   INSERT INTO hmac_credential VALUES ('theirs', 1)";
    sqlx::raw_sql(foreign)
        .execute(&mut connection)
        .await
        .expect("a table");
    mesh.launch(Peer::Authority).await;
    mesh.until_missing(Peer::Authority, "sql").await;
    until("the log says why", async || {
        let log = mesh.log(Peer::Authority).await;
        if log.contains("the management store is not usable yet") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    let theirs: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM hmac_credential")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(theirs, 1);
}
