//! A peer sees what the others' Redis hold, read directly and followed by what Redis announces.

use auth_base::secret::Secret;
use hmac_propagation::queue::PeerName;
use peer_kit::config::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Addresses, Peer, SECRET, config, eventually, free_port};

/// The states of the cells of the client `c`: of the authority, then of leptos-axum.
async fn states(peer: &Peer) -> (String, String) {
    let (_, page) = peer.get("/api/mesh?filter=c").await;
    let state = |n: usize| {
        page["clients"][0]["cells"][n]["state"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (state(0), state(1))
}

/// Sends one command, as somebody on a console would.
async fn by_hand(url: &str, command: &str) {
    let url = url::Url::parse(url).unwrap();
    let address = (url.host_str().unwrap(), url.port().unwrap());
    let mut console = TcpStream::connect(address).await.unwrap();
    console
        .write_all(format!("{command}\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = [0; 4];
    console.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b":1\r\n");
}

async fn becomes(peer: &Peer, authority: &str, leptos: &str) {
    let expected = (authority.to_owned(), leptos.to_owned());
    eventually(&format!("{expected:?}"), || async {
        states(peer).await == expected
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stores_of_other_peers_are_seen_and_followed() {
    let rabbitmq = services::rabbitmq().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (redis_a, redis_b) = (
        services::redis().await.unwrap(),
        services::redis().await.unwrap(),
    );
    let amqp = rabbitmq.vhost("view").await.unwrap();
    let database = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
    let (database_a, database_b) = (database("a"), database("b"));
    let (port_a, port_b) = (free_port(), free_port());
    let peers =
        format!("authority=http://127.0.0.1:{port_a},leptos-axum=http://127.0.0.1:{port_b}");
    let a = Addresses {
        amqp: &amqp,
        redis: redis_a.url(),
        database: &database_a,
    };
    let b = Addresses {
        amqp: &amqp,
        redis: redis_b.url(),
        database: &database_b,
    };
    let mut seeing = config("authority", "leptos-axum", port_a, &a, &peers);
    if let Role::Full(full) = &mut seeing.role {
        let name = PeerName::parse("leptos-axum").unwrap();
        full.peer_redis_urls = vec![(name, Secret::new(redis_b.url()))];
    }
    let authority = Peer::start(seeing).await;
    let leptos = Peer::start(config("leptos-axum", "authority", port_b, &b, &peers)).await;
    authority.ready().await;
    leptos.ready().await;
    let (_, page) = authority.get("/api/mesh").await;
    assert_eq!(
        page["summary"],
        json!({ "clients": 0, "inSync": 0, "peers": 2, "peersInSync": 2 })
    );

    let ensure = json!({ "clientId": "c", "secret": SECRET, "targets": ["leptos-axum"] });
    assert_eq!(authority.post("/api/ensure", ensure).await.0, 200);
    becomes(&authority, "inSync", "inSync").await;

    by_hand(redis_b.url(), "HDEL hmac:http:clients c").await;
    becomes(&authority, "inSync", "missing").await;
    assert_eq!(
        authority
            .post("/api/resync", json!({ "clientId": "c" }))
            .await
            .0,
        200
    );
    becomes(&authority, "inSync", "inSync").await;

    // Another source changes it: from then on it is that one's.
    let ensure = json!({ "clientId": "c", "secret": "another-long-secret", "targets": [] });
    assert_eq!(leptos.post("/api/ensure", ensure).await.0, 200);
    becomes(&authority, "behind", "inSync").await;
    let (_, page) = authority.get("/api/mesh").await;
    assert_eq!(page["clients"][0]["own"], false, "{page}");

    drop(redis_b);
    becomes(&authority, "inSync", "unknown").await;
    let (_, health) = authority.get("/api/mesh/health").await;
    let advice: Vec<&Value> = health["peers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| &peer["advice"])
        .collect();
    assert!(
        advice[1].to_string().contains("PEER_REDIS_URLS"),
        "{health}"
    );
    authority.stop().await;
    leptos.stop().await;
}
