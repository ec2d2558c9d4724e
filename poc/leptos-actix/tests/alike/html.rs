//! The two frameworks draw the same pages of the same state, to the letter.

use serde_json::{Value, json};

use crate::peers::{Peer, Peers, SECRET, eventually};

/// The pages, of which one has a mistake in its address.
const PATHS: [&str; 9] = [
    "/",
    "/?filter=o&show=attention&sort=changed",
    "/?show=sideways",
    "/clients/http/kept",
    "/clients/http/gone",
    "/clients/message/nobody",
    "/targets",
    "/health",
    "/nowhere",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_one_state_are_the_same() {
    // A page tells its own peer from the others: so each framework has a mesh in which it is the left one.
    let meshes = [
        Peers::named(["left", "right"]).await,
        Peers::named(["right", "left"]).await,
    ];
    let lefts: Vec<&Peer> = meshes
        .iter()
        .flat_map(|mesh| &mesh.all)
        .filter(|peer| peer.name == "left")
        .collect();
    for left in &lefts {
        fill(left).await;
    }
    let mut different = Vec::new();
    for path in PATHS {
        let mut pages = Vec::new();
        for left in &lefts {
            let page = left.page(path).await;
            let page = format!("{} {}", page.status(), page.text().await.unwrap());
            pages.push(without_moments(&without_ids(left, page).await));
        }
        assert!(pages[0].contains("</html>"), "{path}: {}", pages[0]);
        different.extend(difference(path, &pages[0], &pages[1]));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    for mesh in meshes {
        mesh.stop().await;
    }
}

/// Something of everything: a client that is kept, one that is gone, one of the other track, one of here alone.
async fn fill(left: &Peer) {
    let ensure = |client: &str, track: &str, targets: &[&str]| json!({ "clientId": client, "secret": SECRET, "track": track, "targets": targets });
    left.post("/api/ensure", &ensure("kept", "http", &["right"]))
        .await;
    settled(left).await;
    left.post("/api/ensure", &ensure("gone", "http", &["right"]))
        .await;
    settled(left).await;
    left.post(
        "/api/revoke",
        &json!({ "clientId": "gone", "targets": ["right"] }),
    )
    .await;
    settled(left).await;
    left.post("/api/ensure", &ensure("message", "message", &["right"]))
        .await;
    settled(left).await;
    left.post("/api/ensure", &ensure("alone", "http", &[]))
        .await;
    eventually("the matrix has settled", async || {
        let page = left.get("/api/mesh").await;
        page["summary"] == json!({ "clients": 4, "inSync": 4, "peers": 2, "peersInSync": 2 })
            && page["clients"]
                .as_array()
                .unwrap()
                .iter()
                .all(|client| client["own"] == true && acknowledged(client))
    })
    .await;
    eventually("both have synced", async || {
        let health = left.get("/api/mesh/health").await;
        let peers = health["peers"].as_array().unwrap();
        peers.iter().all(|peer| {
            peer["lastSyncAt"].is_i64() && peer["queue"] == json!({ "messages": 0, "consumers": 1 })
        })
    })
    .await;
}

/// Whether the other peer's acknowledgement is seen, where one is booked.
fn acknowledged(client: &Value) -> bool {
    client["cells"]
        .as_array()
        .unwrap()
        .iter()
        .all(|cell| cell["status"].is_null() || cell["status"] == "success")
}

async fn settled(left: &Peer) {
    eventually("acknowledged", async || {
        let state = left.get("/api/state").await;
        state["pivots"]
            .as_array()
            .unwrap()
            .iter()
            .all(|pivot| pivot["status"] == "success")
    })
    .await;
}

/// Events have ids of their own, shown whole and by their first characters; peers have ports.
async fn without_ids(left: &Peer, page: String) -> String {
    let mut page = page;
    for client in ["kept", "gone"] {
        let timeline = left.get(&format!("/api/timeline?clientId={client}")).await;
        for id in timeline["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|entry| entry["eventId"].as_str())
        {
            page = page.replace(id, "EVENT").replace(&id[..8], "EVENT");
        }
    }
    page
}

/// Puts every number to 0, and every age and duration to one unit.
fn without_moments(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    for character in page.chars() {
        match character {
            '0'..='9' if text.ends_with('0') => {}
            '0'..='9' => text.push('0'),
            other => text.push(other),
        }
    }
    for span in ["0.0 s", "0 ms", "0 min", "0 s"] {
        text = text.replace(span, "SPAN");
    }
    text.replace("SPAN SPAN", "SPAN")
        .replace("SPAN ago", "SPAN")
        .replace("now<", "SPAN<")
}

/// Where two pages begin to differ.
fn difference(path: &str, axum: &str, actix: &str) -> Option<String> {
    let same = axum
        .chars()
        .zip(actix.chars())
        .take_while(|(one, other)| one == other)
        .count();
    let around = |page: &str| {
        page.chars()
            .skip(same.saturating_sub(120))
            .take(240)
            .collect::<String>()
    };
    (axum != actix).then(|| {
        format!(
            "{path}\n  axum  {}\n  actix {}",
            around(axum),
            around(actix)
        )
    })
}
