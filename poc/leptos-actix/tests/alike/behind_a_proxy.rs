//! What a proxy in front does: it keeps connections, and may write a `Host` of its own.

use std::time::Duration;

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::peers::{Peer, Peers, SECRET};

/// A proxy that finds a connection closed has lost the request that it wrote into it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_kept_as_long_as_was_said() {
    let peers = Peers::start().await;
    let [axum, actix] = &peers.all;
    let kept = tokio::join!(kept(axum), kept(actix));
    for kept in [kept.0, kept.1] {
        assert!((6_000..9_000).contains(&kept.as_millis()), "{kept:?}");
    }
    peers.stop().await;
}

/// How long a connection is kept after an answer.
async fn kept(peer: &Peer) -> Duration {
    let mut stream = TcpStream::connect(peer.address).await.unwrap();
    let request = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut some = [0; 1024];
    assert!(stream.read(&mut some).await.unwrap() > 0);
    let answered = Instant::now();
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(30), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "{} keeps it for ever", peer.name);
    answered.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_passes_whatever_host_the_proxy_writes() {
    let peers = Peers::start().await;
    let form = format!("clientId=form&secret={SECRET}");
    for peer in &peers.all {
        for (origin, expected) in [("http://peer.example", 200), ("http://evil.example", 403)] {
            let headers = [
                ("content-type", "application/x-www-form-urlencoded"),
                ("origin", origin),
            ];
            let answer = peer
                .send(&Method::POST, "/api/ensure", &headers, &form)
                .await;
            assert!(
                answer.starts_with(&expected.to_string()),
                "{}: {answer}",
                peer.name
            );
        }
    }
    peers.stop().await;
}
