//! Bodies on their way: both directions, as they come, and no longer than somebody wants them.

use std::time::Duration;

use gateway::proxy::Settings;
use mesh_api::permission::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::{Proxied, read_until, status};
use crate::upstream::WITHIN;

fn request(proxied: &Proxied, line: &str, headers: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nhost: {}\r\n{headers}\r\n",
        proxied.address
    )
}

const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn events_come_as_they_are_sent_and_end_with_who_asked() {
    let proxied = Proxied::start().await;
    let mut stream = proxied.connect().await;
    let get = request(&proxied, "GET /events", "");
    stream.write_all(get.as_bytes()).await.unwrap();
    read_until(&mut stream, "text/event-stream").await;
    for number in 1..=3 {
        proxied.one.send_event();
        read_until(&mut stream, &format!("data: {number}")).await;
    }
    assert!(!proxied.one.only().is_gone);
    drop(stream);
    proxied
        .one
        .until("the peer is told", |seen| seen[0].is_gone)
        .await;
}

#[tokio::test]
async fn a_body_comes_as_it_is_sent() {
    let proxied = Proxied::start().await;
    for (path, framing, parts) in [
        ("/length", "content-length: 8\r\n", ["half", "rest"]),
        (
            "/chunks",
            "transfer-encoding: chunked\r\n",
            ["4\r\nhalf\r\n", "0\r\n\r\n"],
        ),
    ] {
        let mut stream = proxied.connect().await;
        let post = request(&proxied, &format!("POST {path}"), framing);
        stream.write_all(post.as_bytes()).await.unwrap();
        stream.write_all(parts[0].as_bytes()).await.unwrap();
        let has_half = |body: &[u8]| body.windows(4).any(|four| four == b"half");
        let line = format!("POST {path} HTTP/1.1");
        proxied
            .one
            .until("half of the body", |seen| {
                seen.iter().any(|it| it.line == line && has_half(&it.body))
            })
            .await;
        stream.write_all(parts[1].as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "\r\n\r\nok").await;
        assert_eq!(status(&answer), 200, "{answer}");
    }
    let seen = proxied.one.seen();
    assert_eq!(seen[0].one("content-length"), "8");
    assert_eq!(seen[0].body, b"halfrest");
    assert_eq!(seen[1].one("transfer-encoding"), "chunked");
}

#[tokio::test]
async fn who_is_gone_before_an_answer_ends_the_request() {
    let proxied = Proxied::start().await;
    let mut stream = proxied.connect().await;
    let get = request(&proxied, "GET /silent", "");
    stream.write_all(get.as_bytes()).await.unwrap();
    proxied
        .one
        .until("it has come", |seen| seen.len() == 1)
        .await;
    drop(stream);
    proxied
        .one
        .until("the peer is told", |seen| seen[0].is_gone)
        .await;
}

#[tokio::test]
async fn a_peer_that_does_not_go_on_is_waited_for_within_a_bound() {
    let short = |settings: &mut Settings| settings.limits.idle = Duration::from_millis(300);
    let proxied = Proxied::with(Role::Operator, short, &CancellationToken::new()).await;
    let answer = proxied.get("/half", "").await;
    assert!(answer.ends_with("\r\n\r\nhalf"), "{answer}");
    proxied
        .one
        .until("the peer is told", |seen| seen[0].is_gone)
        .await;
}

#[tokio::test]
async fn a_websocket_passes_in_both_directions() {
    let proxied = Proxied::start().await;
    let mut stream = proxied.connect().await;
    let get = request(
        &proxied,
        "GET /ws",
        &format!("{UPGRADE}x-internal-auth: forged\r\n"),
    );
    stream.write_all(get.as_bytes()).await.unwrap();
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert_eq!(status(&answer), 101, "{answer}");
    assert!(answer.contains("upgrade: websocket"), "{answer}");
    assert!(!answer.contains("evil"), "{answer}");
    stream.write_all(b"there and back").await.unwrap();
    assert_eq!(read_until(&mut stream, "back").await, "there and back");
    let seen = proxied.one.only();
    assert_eq!(seen.one("upgrade"), "websocket");
    assert_eq!(seen.one("connection"), "upgrade");
    assert_eq!(seen.one("sec-websocket-version"), "13");
    proxied.token(&seen, "one", "GET", "/ws").await.unwrap();
    drop(stream);
    proxied
        .one
        .until("the peer is told", |seen| seen[0].is_gone)
        .await;
}

#[tokio::test]
async fn a_websocket_that_nobody_agrees_to_is_an_answer() {
    let proxied = Proxied::start().await;
    let mut stream = proxied.connect().await;
    let get = request(&proxied, "GET /a", UPGRADE);
    stream.write_all(get.as_bytes()).await.unwrap();
    assert_eq!(status(&read_until(&mut stream, "\r\n\r\nok").await), 200);
    // And the connection goes on.
    let get = request(&proxied, "GET /b", "connection: close\r\n");
    stream.write_all(get.as_bytes()).await.unwrap();
    assert_eq!(status(&read_until(&mut stream, "\r\n\r\nok").await), 200);
}

/// A session that has ended takes along what it has opened.
#[tokio::test]
async fn whoever_may_no_longer_sees_nothing_more() {
    let ended = CancellationToken::new();
    let proxied = Proxied::with(Role::Operator, |_| {}, &ended).await;
    let (mut events, mut websocket) = (proxied.connect().await, proxied.connect().await);
    let get = request(&proxied, "GET /events", "");
    events.write_all(get.as_bytes()).await.unwrap();
    proxied
        .one
        .until("it has come", |seen| seen.len() == 1)
        .await;
    proxied.one.send_event();
    read_until(&mut events, "data: 1\n\n\r\n").await;
    let get = request(&proxied, "GET /ws", UPGRADE);
    websocket.write_all(get.as_bytes()).await.unwrap();
    read_until(&mut websocket, "\r\n\r\n").await;
    ended.cancel();
    let rest = timeout(WITHIN, async {
        let mut rest = Vec::new();
        events.read_buf(&mut rest).await.unwrap();
        let _ = websocket.read_to_end(&mut Vec::new()).await;
        rest
    });
    // The stream ends as a whole: its page asks again, and learns that it may not.
    assert_eq!(rest.await.unwrap(), b"0\r\n\r\n");
    proxied
        .one
        .until("the peer is told", |seen| seen.iter().all(|it| it.is_gone))
        .await;
}
