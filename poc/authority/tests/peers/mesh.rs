//! Two full-mode peers converge, and call each other signed.

use serde_json::{Value, json};

use crate::harness::{Addresses, Peer, SECRET, config, eventually, free_port};

/// The statuses of the rows of `client` in the peer's management store.
async fn statuses(peer: &Peer, client: &str) -> Vec<String> {
    let (_, state) = peer.get("/admin/state").await;
    let rows = state["pivots"].as_array().cloned().unwrap_or_default();
    rows.iter()
        .filter(|row| row["clientId"] == client)
        .map(|row| row["status"].as_str().unwrap_or_default().to_owned())
        .collect()
}

async fn succeeds(peer: &Peer, client: &str) {
    eventually("every row says success", || async {
        statuses(peer, client).await == ["success"]
    })
    .await;
}

/// The status and code that `at` answers to a call signed by `from`.
async fn call(from: &Peer, at: &str, body: Value) -> (u64, String) {
    let mut request = json!({ "target": at, "clientId": "client" });
    if let Some(secret) = body.as_str() {
        request["secret"] = json!(secret);
    }
    let (status, answer) = from.post("/api/call-target", request).await;
    assert_eq!(status, 200, "{answer}");
    let code = answer["body"]["error"].as_str().unwrap_or("ok").to_owned();
    (answer["status"].as_u64().unwrap(), code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_converge_and_call_each_other_signed() {
    let rabbitmq = services::rabbitmq().await.unwrap();
    let mariadb = services::mariadb().await.unwrap();
    let (redis_a, redis_b) = (
        services::redis().await.unwrap(),
        services::redis().await.unwrap(),
    );
    let amqp = rabbitmq.vhost("two").await.unwrap();
    let (database_a, database_b) = (
        mariadb.database("a").await.unwrap(),
        mariadb.database("b").await.unwrap(),
    );
    let (port_a, port_b) = (free_port(), free_port());
    let peers =
        format!("authority=http://127.0.0.1:{port_a},leptos-axum=http://127.0.0.1:{port_b}");
    let at = |redis, database| Addresses {
        amqp: &amqp,
        redis,
        database,
    };
    let a = at(redis_a.url(), database_a.as_str());
    let b = at(redis_b.url(), database_b.as_str());
    let authority = Peer::start(config("authority", "leptos-axum", port_a, &a, &peers)).await;
    let leptos = Peer::start(config("leptos-axum", "authority", port_b, &b, &peers)).await;
    authority.ready().await;
    leptos.ready().await;

    let ensure = json!({ "clientId": "client", "secret": SECRET, "targets": ["leptos-axum"] });
    let created = json!({ "clientId": "client", "op": "credential.create" });
    assert_eq!(
        authority.post("/admin/ensure", ensure.clone()).await,
        (201, created)
    );
    succeeds(&authority, "client").await;
    let updated = json!({ "clientId": "client", "op": "credential.update" });
    assert_eq!(authority.post("/api/ensure", ensure).await, (200, updated));
    succeeds(&authority, "client").await;

    assert_eq!(
        call(&authority, "leptos-axum", json!(SECRET)).await,
        (200, "ok".to_owned())
    );
    let url = format!("http://127.0.0.1:{port_b}/api/echo");
    assert_eq!(
        call(&authority, &url, Value::Null).await.0,
        200,
        "the stored hash signs"
    );
    let wrong = json!("another-long-secret");
    assert_eq!(
        call(&authority, "leptos-axum", wrong).await,
        (401, "BAD_SIGNATURE".to_owned())
    );

    let next = "a-secret-of-a-client-2";
    let rotate = json!({ "clientId": "client", "secret": next });
    assert_eq!(authority.post("/admin/rotate", rotate).await.0, 201);
    eventually("the new secret is accepted", || async {
        call(&authority, "leptos-axum", json!(next)).await.0 == 200
    })
    .await;
    assert_eq!(
        call(&authority, "leptos-axum", json!(SECRET)).await,
        (401, "BAD_SIGNATURE".to_owned())
    );
    succeeds(&authority, "client").await;
    inventory(&authority).await;
    showing_no_secret(&authority, &leptos).await;

    let revoke = json!({ "clientId": "client", "targets": ["leptos-axum"] });
    assert_eq!(
        authority.post("/admin/revoke", revoke).await,
        (201, json!({ "clientId": "client" }))
    );
    eventually("revoked everywhere", || async {
        leptos.get("/api/local-clients").await.1 == json!([])
            && authority.get("/api/local-clients").await.1 == json!([])
    })
    .await;
    // The authority does not see the other's store, so it must be told to overwrite.
    let mut resync = json!({ "target": "leptos-axum" });
    let (status, problem) = authority.post("/admin/resync", resync.clone()).await;
    assert_eq!((status, &problem["field"]), (400, &json!("newer")));
    resync["newer"] = json!("overwrite");
    let (status, summary) = authority.post("/admin/resync", resync).await;
    assert_eq!(status, 201, "{summary}");
    succeeds(&authority, "client").await;
    authority.stop().await;
    leptos.stop().await;
}

/// Targets are added, changed and deleted; one that clients are booked for is kept.
async fn inventory(peer: &Peer) {
    let target = json!({ "targetAmqpQueue": "later", "propagationSecret": "propagation-of-later", "note": "soon" });
    let answer = |op: &str| json!({ "op": op, "targetAmqpQueue": "later" });
    assert_eq!(
        peer.post("/admin/targets", target.clone()).await,
        (201, answer("target.create"))
    );
    assert_eq!(
        peer.post("/admin/targets", target).await,
        (201, answer("target.update"))
    );
    let deleted = peer
        .send(reqwest::Method::DELETE, "/admin/targets/later", None)
        .await;
    assert_eq!(deleted, (200, answer("target.delete")));
    let (status, problem) = peer
        .send(reqwest::Method::DELETE, "/admin/targets/leptos-axum", None)
        .await;
    assert_eq!(
        (status, problem["error"].as_str()),
        (409, Some("TARGET_IN_USE")),
        "{problem}"
    );
    assert!(
        problem["message"].as_str().unwrap().contains('1'),
        "{problem}"
    );
}

/// What the surface shows holds no secret, and hashes as prefixes only.
async fn showing_no_secret(authority: &Peer, leptos: &Peer) {
    let (_, hash) = authority
        .post("/admin/hash", json!({ "secret": "a-secret-of-a-client-2" }))
        .await;
    let hash = hash["hash"].as_str().unwrap();
    assert_eq!(hash.len(), 64);
    let (_, state) = authority.get("/admin/state?limit=1").await;
    assert_eq!(state["credentials"][0]["secretHash"], hash[..8], "{state}");
    for text in [
        state.to_string(),
        leptos.get("/api/local-clients").await.1.to_string(),
        authority.get("/metrics").await.1.to_string(),
        authority.get("/openapi.json").await.1.to_string(),
        authority.get("/docs").await.1.to_string(),
    ] {
        for secret in [
            SECRET,
            "a-secret-of-a-client-2",
            "propagation-of",
            "pepper-of",
            hash,
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let (_, clients) = leptos.get("/api/local-clients").await;
    assert_eq!(clients[0]["clientId"], "client");
    assert_eq!(clients[0]["track"], "http");
}
