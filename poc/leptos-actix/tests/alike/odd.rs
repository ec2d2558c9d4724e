//! What no well-behaved client sends, byte for byte: both frameworks answer it alike.

use std::net::SocketAddr;
use std::time::Duration;

use auth_base::secret::Secret;
use hmac_auth::credential::ClientId;
use hmac_auth::secret_hash::hash_client_secret;
use hmac_auth::sign::Signer;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::peers::{Peer, Peers, SECRET, SHOWN};

/// Nothing here is worth waiting for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Stands for the headers of a good signature over GET /api/echo.
const SIGNED: &str = "{signed}";

/// The line of a request, and its headers but for `host`.
type Row = (String, String);

fn line(line: &str) -> Row {
    (line.to_owned(), String::new())
}

fn with(line: &str, headers: &str) -> Row {
    (line.to_owned(), headers.to_owned())
}

/// Targets that could be routed as something else than what was sent.
fn targets() -> Vec<Row> {
    let targets = [
        "/%61dmin/state",
        "/ad%6Din/state",
        "/admin/st%61te",
        "/admin%2Fstate",
        "/%2561dmin/state",
        "/%6civez",
        "/%74argets",
        "/pk%67/none.css",
        "//admin/state",
        "/admin//state",
        "/admin/state/",
        "/./admin/state",
        "/x/../admin/state",
        "/%2e%2e/admin/state",
        "/admin/%2e%2e/livez",
        "/admin\\state",
        "/livez;x=1",
        "/livez?",
        "/livez?x",
        "/livez#x",
        "/LIVEZ",
        "http://localhost/livez",
        "http://127.0.0.1:1/api/state?limit=0",
        "http://localhost",
        "http://evil.example/livez",
        "https://localhost/livez",
        "localhost/livez",
        "livez",
        "*",
        "/clients/http/%ff",
        "/clients/http/%",
        "/clients/http/%2e%2e",
        "/clients/http/",
        "/clients//x",
        "/clients/http/\u{e4}",
        "/clients/http/\u{c3}\u{a4}",
        "/livez?\u{c3}\u{a4}",
        "/pkg/%ff",
        "/pkg/%2e%2e",
        "/api/echo/",
        "/api/echo?\u{c3}\u{a4}",
        "",
    ];
    let get = |target: &str| line(&format!("GET {target} HTTP/1.1"));
    let mut rows: Vec<Row> = targets.map(get).into();
    for name in [
        "%ff", "%00", "%", "%zz", "a+b", "a%2Bb", "a%252Fb", "%C3%A4", "..", "%2e%2e",
    ] {
        rows.push(line(&format!("DELETE /api/targets/{name} HTTP/1.1")));
    }
    let body = "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    rows.push(with("POST /%61dmin/ensure HTTP/1.1", body));
    rows.push(with("POST /admin/ensur%65 HTTP/1.1", body));
    rows
}

fn methods() -> Vec<Row> {
    let paths = [
        "/",
        "/livez",
        "/metrics",
        "/docs",
        "/api/echo",
        "/api/state",
        "/api/mesh/events",
        "/clients/http/a",
        "/pkg/none.css",
        "/nowhere",
    ];
    let mut rows = Vec::new();
    for method in ["OPTIONS", "HEAD", "TRACE", "PATCH", "FOO", "get"] {
        rows.extend(paths.map(|path| line(&format!("{method} {path} HTTP/1.1"))));
    }
    rows.push(line("OPTIONS * HTTP/1.1"));
    rows.push(line("CONNECT localhost:80 HTTP/1.1"));
    rows
}

/// Heads that a server must refuse, or must not wait for.
fn heads() -> Vec<Row> {
    let get = |headers: &str| with("GET /livez HTTP/1.1", headers);
    let many = |count: usize| get(&"x-one: 1\r\n".repeat(count));
    let long = |length: usize| get(&format!("x-long: {}\r\n", "a".repeat(length)));
    let asked = |length: usize| line(&format!("GET /livez?{} HTTP/1.1", "a".repeat(length)));
    let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let forged = "x-client-id: odd\r\nx-timestamp: 1\r\nx-nonce: n\r\nx-signature: 00\r\n";
    let echo = |headers: String| ("GET /api/echo HTTP/1.1".to_owned(), headers);
    let length = "content-type: application/json\r\ncontent-length: 2\r\n";
    vec![
        // The host is one, `connection` is one.
        many(90),
        many(94),
        many(95),
        many(99),
        many(200),
        long(8_000),
        long(100_000),
        long(140_000),
        asked(60_000),
        get("host: localhost\r\n"),
        get("x-bytes: \u{e4}\r\n"),
        get("x y: 1\r\n"),
        get("x-folded: 1\r\n 2\r\n"),
        get("content-length: -1\r\n"),
        get("content-length: +1\r\n"),
        get("content-length: 1, 1\r\n"),
        get("transfer-encoding: gzip\r\n"),
        get("transfer-encoding: gzip, chunked\r\n"),
        get("transfer-encoding: identity\r\n"),
        get("expect: the-impossible\r\n"),
        line("GET /livez HTTP/1.0"),
        line("GET /livez HTTP/3.0"),
        line("GET  /livez HTTP/1.1"),
        line("GET /livez"),
        line("POST /api/sync HTTP/1.0"),
        with("POST /api/sync HTTP/1.0", "transfer-encoding: chunked\r\n"),
        get(upgrade),
        with("GET /admin/state?limit=0 HTTP/1.1", upgrade),
        with("GET / HTTP/1.1", upgrade),
        with("GET /nowhere HTTP/1.1", upgrade),
        with(
            "POST /api/sync HTTP/1.1",
            &format!("{upgrade}{length}\r\n{{}}"),
        ),
        get("connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"),
        echo(upgrade.to_owned()),
        echo(format!("{upgrade}{forged}")),
        echo(format!("{upgrade}{SIGNED}")),
        echo(SIGNED.to_owned()),
    ]
}

/// Whole requests whose `host` is not the usual one.
fn hosts() -> Vec<String> {
    let get = |headers: &str| format!("GET /livez HTTP/1.1\r\n{headers}\r\n");
    vec![
        get(""),
        get("host:\r\n"),
        get("host: evil.example\r\n"),
        get("host: localhost.evil.example:3001\r\n"),
        get("host: localhost\r\nhost: evil.example\r\n"),
        get("host: \u{e4}.example\r\n"),
        get("host: [::1]:3001\r\n"),
        "GET /livez HTTP/1.0\r\n\r\n".to_owned(),
        "GET /livez HTTP/1.0\r\nhost: evil.example\r\n\r\n".to_owned(),
        "\r\nGET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
    ]
}

fn requests() -> Vec<String> {
    let rows = [targets(), methods(), heads()].concat();
    let usual = rows.into_iter().map(|(line, headers)| {
        let (headers, body) = headers.split_once("\r\n\r\n").unwrap_or((&headers, ""));
        let headers = headers.trim_end_matches("\r\n");
        let headers = match headers {
            "" => String::new(),
            some => format!("{some}\r\n"),
        };
        format!("{line}\r\nhost: localhost\r\n{headers}\r\n{body}")
    });
    usual.chain(hosts()).collect()
}

/// The headers of a signature that this peer accepts.
fn signature(peer: &Peer) -> String {
    let pepper = Secret::new(format!("pepper-of-{}", peer.name));
    let hash = hash_client_secret(&Secret::new(SECRET), Some(&pepper));
    let signer = Signer::new(ClientId::parse("odd").unwrap(), hash);
    let signed = signer.sign("GET", "/api/echo", b"").unwrap();
    let pairs = signed.pairs();
    let lines = pairs.map(|(name, value)| format!("{name}: {value}\r\n"));
    lines.into_iter().collect()
}

/// Sends it and reads one answer: its status, the headers that matter, and its body, unless that never ends.
async fn answer(address: SocketAddr, request: &str) -> String {
    let read = async {
        let mut stream = TcpStream::connect(address).await?;
        // Each character is a byte, so that a row may hold what is no UTF-8.
        let bytes: Vec<u8> = request.chars().map(|character| character as u8).collect();
        stream.write_all(&bytes).await?;
        let mut seen = Vec::new();
        loop {
            if let Some(text) = whole(&seen, request.starts_with("HEAD")) {
                return Ok(text);
            }
            if stream.read_buf(&mut seen).await? == 0 {
                return Ok(String::from_utf8_lossy(&seen).into_owned());
            }
        }
    };
    match timeout(PATIENCE, read).await {
        Ok(Ok::<String, std::io::Error>(text)) => shown(&text),
        Ok(Err(error)) => format!("{:?}", error.kind()),
        Err(_) => "no answer in time".to_owned(),
    }
}

fn whole(seen: &[u8], to_head: bool) -> Option<String> {
    let text = String::from_utf8_lossy(seen).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let is_whole = to_head || length.is_none_or(|length| body.len() >= length);
    is_whole.then(|| text.clone())
}

fn shown(text: &str) -> String {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let mut headers: Vec<String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .filter(|(name, _)| SHOWN.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    headers.sort_unstable();
    let status = status.split(' ').nth(1).unwrap_or(status);
    let problem = if body.starts_with("{\"error\"") {
        body
    } else {
        ""
    };
    format!("{status} {headers:?} {problem}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_requests_are_answered_alike() {
    let peers = Peers::start().await;
    for peer in &peers.all {
        let ensure = json!({ "clientId": "odd", "secret": SECRET, "targets": [] });
        peer.post("/api/ensure", &ensure).await;
    }
    let mut different = Vec::new();
    for request in requests() {
        let mut answers = Vec::new();
        for peer in &peers.all {
            let request = request.replace(SIGNED, &signature(peer));
            answers.push(answer(peer.address, &request).await);
        }
        if answers[0] != answers[1] || answers[0].starts_with("no answer") {
            let begin: String = request.chars().take(150).collect();
            different.push(format!(
                "{begin:?}\n  axum  {}\n  actix {}",
                answers[0], answers[1]
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    peers.stop().await;
}

/// A page whose name was made to point at this machine sends its own name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_was_made_to_point_here_opens_nothing() {
    let peers = Peers::start().await;
    let body = json!({ "clientId": "rebound", "secret": SECRET, "targets": [] }).to_string();
    let ensure = |host: &str| {
        let length = body.len();
        format!(
            "POST /api/ensure HTTP/1.1\r\nhost: {host}\r\nsec-fetch-site: same-origin\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    for peer in &peers.all {
        for path in ["/", "/api/state", "/api/mesh/events", "/livez", "/nowhere"] {
            let get = format!("GET {path} HTTP/1.1\r\nhost: evil.example:3003\r\n\r\n");
            let answer = answer(peer.address, &get).await;
            assert!(answer.starts_with("421 "), "{path}: {answer}");
            assert!(answer.contains("MISDIRECTED_REQUEST"), "{path}: {answer}");
        }
        let refused = answer(peer.address, &ensure("evil.example")).await;
        assert!(refused.starts_with("421 "), "{refused}");
        let clients = peer.get("/api/local-clients").await;
        assert_eq!(clients, json!([]), "{}", peer.name);
        let done = answer(peer.address, &ensure("localhost:3003")).await;
        assert!(done.starts_with("200 "), "{done}");
    }
    peers.stop().await;
}

/// Whoever closes a connection with something unread resets it, and the answer may be lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_reaches_who_is_still_sending() {
    let peers = Peers::start().await;
    for peer in &peers.all {
        for path in ["/nowhere", "/api/echo", "/api/ensure"] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2000000\r\n\r\n"
            );
            for _ in 0..10 {
                let mut stream = TcpStream::connect(peer.address).await.unwrap();
                stream.write_all(head.as_bytes()).await.unwrap();
                // By now it is refused.
                sleep(Duration::from_millis(5)).await;
                let about = format!("{} {path}", peer.name);
                let sent = stream.write_all(&vec![b'x'; 2_000_000]).await;
                sent.expect(&about);
                let mut answer = [0; 12];
                let read = timeout(PATIENCE, stream.read_exact(&mut answer)).await;
                read.expect(&about).expect(&about);
                assert!(answer.starts_with(b"HTTP/1.1 4"), "{about}");
            }
        }
    }
    peers.stop().await;
}
