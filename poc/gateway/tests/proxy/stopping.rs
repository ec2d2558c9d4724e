//! The end of the proxy.

use std::time::Duration;

use gateway::proxy::Settings;
use mesh_api::permission::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::{Proxied, read_until, status};
use crate::upstream::WITHIN;

#[tokio::test]
async fn it_stops_in_good_order() {
    let proxied = Proxied::start().await;
    let (mut events, mut upload) = (proxied.connect().await, proxied.connect().await);
    let head = |line: &str, more: &str| {
        format!("{line} HTTP/1.1\r\nhost: {}\r\n{more}\r\n", proxied.address)
    };
    events
        .write_all(head("GET /events", "").as_bytes())
        .await
        .unwrap();
    proxied
        .one
        .until("it has come", |seen| seen.len() == 1)
        .await;
    proxied.one.send_event();
    read_until(&mut events, "data: 1\n\n\r\n").await;
    let post = head("POST /a", "content-length: 8\r\n");
    upload
        .write_all(format!("{post}half").as_bytes())
        .await
        .unwrap();
    proxied
        .one
        .until("both have come", |seen| seen.len() == 2)
        .await;
    proxied.stop.ask();
    // A stream of events ends, a request that is under way is answered, and nobody new is let in.
    let mut rest = Vec::new();
    timeout(WITHIN, events.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest, b"0\r\n\r\n");
    upload.write_all(b"rest").await.unwrap();
    assert_eq!(status(&read_until(&mut upload, "\r\n\r\nok").await), 200);
    timeout(WITHIN, proxied.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(proxied.address).await.is_err());
}

#[tokio::test]
async fn it_stops_within_its_bound() {
    let short = |settings: &mut Settings| settings.limits.stop = Duration::from_millis(300);
    let proxied = Proxied::with(Role::Operator, short, &CancellationToken::new()).await;
    let mut silent = proxied.connect().await;
    let get = format!("GET /silent HTTP/1.1\r\nhost: {}\r\n\r\n", proxied.address);
    silent.write_all(get.as_bytes()).await.unwrap();
    proxied
        .one
        .until("it has come", |seen| seen.len() == 1)
        .await;
    proxied.stop.ask();
    timeout(WITHIN, proxied.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap_or(0), 0);
}
