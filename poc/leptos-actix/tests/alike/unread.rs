//! A target that is neither in `PEER_REDIS_URLS` nor in `PEER_URLS` is seen all the same.

use serde_json::{Value, json};

use crate::peers::{Peer, Peers, SECRET, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_without_a_url_has_a_column_that_says_what_is_known() {
    let peers = Peers::start().await;
    let peer = &peers.all[0];
    let ensure = |client: &str, targets: Value| json!({ "clientId": client, "secret": SECRET, "targets": targets });
    peer.post("/api/ensure", &ensure("elsewhere", json!([])))
        .await;
    eventually("the client is there", async || {
        peer.get("/api/mesh").await["summary"]["inSync"] == 1
    })
    .await;
    let target = json!({ "targetAmqpQueue": "far", "propagationSecret": "a-propagation-secret" });
    peer.post("/api/targets", &target).await;
    eventually("the target has a column", async || {
        columns(peer).await == ["far", "leptos-actix", "leptos-axum"]
    })
    .await;
    peer.post("/api/ensure", &ensure("booked", json!(["far"])))
        .await;
    eventually("the cell says how far it came", async || {
        cell(peer, "booked").await == json!({ "peer": "far", "state": "unknown", "status": "sent", "attempts": 1, "reason": "sent, not acknowledged yet" })
    })
    .await;
    let other = cell(peer, "elsewhere").await;
    assert_eq!(
        (&other["state"], &other["reason"]),
        (&json!("unknown"), &json!("nothing is sent to it from here"))
    );
    let page = peer.get("/api/mesh?show=attention").await;
    assert_eq!(
        (&page["matching"], &page["clients"][0]["clientId"]),
        (&json!(1), &json!("booked"))
    );
    assert_eq!(
        page["summary"],
        json!({ "clients": 2, "inSync": 1, "peers": 2, "peersInSync": 2 })
    );
    let health = peer.get("/api/mesh/health").await;
    assert!(
        health["peers"][0]["advice"]
            .to_string()
            .contains("Name far in PEER_REDIS_URLS"),
        "{health}"
    );
    let html = peer.page("/").await.text().await.unwrap();
    assert!(
        html.contains("its store is not read from here")
            && html.contains("sent, not acknowledged yet")
    );

    peer.post(
        "/api/targets",
        &json!({ "targetAmqpQueue": "other", "propagationSecret": "a-propagation-secret" }),
    )
    .await;
    eventually("another column", async || columns(peer).await.len() == 4).await;
    let answer = peer.delete("/api/targets/other").await;
    assert_eq!(answer["op"], "target.delete");
    eventually("the column is gone", async || {
        columns(peer).await.len() == 3
    })
    .await;
    peers.stop().await;
}

async fn columns(peer: &Peer) -> Vec<String> {
    let page = peer.get("/api/mesh").await;
    page["peers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| peer["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn client(peer: &Peer, client: &str) -> Value {
    let page = peer.get(&format!("/api/mesh?filter={client}")).await;
    page["clients"][0].clone()
}

/// The client's cell of the target, as the first by name.
async fn cell(peer: &Peer, name: &str) -> Value {
    client(peer, name).await["cells"][0].clone()
}
