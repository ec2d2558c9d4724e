//! Pages show what is there, and changes are pushed to whoever listens.

use std::time::Duration;

use peer_kit::shutdown::HTTP_LIMIT;
use reqwest::Response;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::peers::{Peers, SECRET, eventually};

/// Reads events until one of the kind `event` holds `text`.
async fn until(stream: &mut Response, event: &str, text: &str) {
    let mut seen = String::new();
    let found = async {
        loop {
            let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
            seen.push_str(std::str::from_utf8(&chunk).unwrap());
            let mut blocks = seen.split("\n\n");
            if blocks.any(|block| {
                block.starts_with(&format!("event: {event}\n")) && block.contains(text)
            }) {
                return;
            }
        }
    };
    let in_time = timeout(Duration::from_secs(15), found).await;
    assert!(in_time.is_ok(), "no {event} with {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_pushed_and_the_streams_end_with_their_peers() {
    let peers = Peers::start().await;
    let mut streams = Vec::new();
    for peer in &peers.all {
        let mut stream = peer.answer("/api/mesh/events").await;
        assert_eq!(stream.status(), 200);
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        assert_eq!(stream.headers()["cache-control"], "no-store");
        until(&mut stream, "hello", peer.name).await;
        streams.push(stream);
    }
    let ensure = json!({ "clientId": "live", "secret": SECRET, "targets": ["leptos-actix"] });
    peers.all[0].post("/api/ensure", &ensure).await;
    for stream in &mut streams {
        until(stream, "client", r#""clientId":"live""#).await;
    }
    let started = Instant::now();
    peers.stop().await;
    assert!(
        started.elapsed() < HTTP_LIMIT,
        "open streams hold nobody up: {:?}",
        started.elapsed()
    );
    for mut stream in streams {
        let rest = async { while let Ok(Some(_)) = stream.chunk().await {} };
        assert!(
            timeout(Duration::from_secs(1), rest).await.is_ok(),
            "a stream outlives its peer"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_path_has_its_page() {
    let peers = Peers::start().await;
    for peer in &peers.all {
        let client = format!("of+{}", peer.name);
        let ensure = json!({ "clientId": client, "secret": SECRET, "targets": [] });
        peer.post("/api/ensure", &ensure).await;
        let own = format!("/clients/http/of%2B{}", peer.name);
        for (path, status) in [
            ("/", 200),
            ("/?filter=of&show=all&sort=client&unknown=1", 200),
            ("/?show=sideways", 400),
            ("/targets", 200),
            ("/health", 200),
            (own.as_str(), 200),
            ("/clients/http/nobody", 404),
            ("/clients/tcp/nobody", 404),
        ] {
            let page = peer.answer(path).await;
            assert_eq!(page.status(), status, "{} {path}", peer.name);
            assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
            let document = page.text().await.unwrap();
            assert!(
                document.starts_with("<!doctype html>") && !document.contains(SECRET),
                "{path}"
            );
        }
    }
    peers.stop().await;
}

/// Each lasts, and nobody is asked who they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_open_streams_is_bounded() {
    let peers = Peers::start().await;
    for peer in &peers.all {
        let mut streams = Vec::new();
        for _ in 0..256 {
            let stream = peer.answer("/api/mesh/events").await;
            assert_eq!(stream.status(), 200);
            streams.push(stream);
        }
        let refused = peer.answer("/api/mesh/events").await;
        assert_eq!(refused.status(), 503);
        let problem = refused.text().await.unwrap();
        assert!(problem.contains("TOO_MANY_STREAMS"), "{problem}");
        assert_eq!(peer.answer("/api/mesh").await.status(), 200);
        drop(streams);
        eventually("a place is free again", async || {
            peer.answer("/api/mesh/events").await.status() == 200
        })
        .await;
    }
    peers.stop().await;
}
