//! Requests that are made to be read in two ways, or to pass for somebody else's.

use std::num::NonZeroU32;

use mesh_api::permission::Role;
use tokio_util::sync::CancellationToken;

use crate::support::{Proxied, is_problem, status};

#[tokio::test]
async fn nobody_tells_a_peer_what_only_the_gateway_says() {
    let proxied = Proxied::start().await;
    let answer = proxied
        .get(
            "/a?b=1",
            "x-internal-auth: forged\r\nX-Internal-Auth: again\r\nx-request-id: forged\r\n\
             forwarded: for=192.0.2.1\r\nx-forwarded-for: 192.0.2.1\r\nx-forwarded-host: evil\r\n\
             x-forwarded-proto: https\r\nx-forwarded-prefix: /evil\r\nx-real-ip: 192.0.2.1\r\n\
             authorization: Bearer stolen\r\ndpop: proof\r\n\
             cookie: a=1; access=x; __Host-refresh=y\r\nx-kept: 1\r\n",
        )
        .await;
    assert_eq!(status(&answer), 200, "{answer}");
    let seen = proxied.one.only();
    assert_eq!(seen.line, "GET /a?b=1 HTTP/1.1");
    let caller = proxied.token(&seen, "one", "GET", "/a?b=1").await.unwrap();
    assert_eq!(caller.subject, "me");
    assert_eq!(seen.one("x-request-id"), caller.request_id);
    assert_eq!(seen.one("x-forwarded-for"), "127.0.0.1");
    assert_eq!(seen.one("x-forwarded-host"), proxied.address.to_string());
    assert_eq!(seen.one("x-forwarded-proto"), "http");
    assert_eq!(seen.one("host"), proxied.address.to_string());
    assert_eq!(seen.one("cookie"), "a=1");
    assert_eq!(seen.one("x-kept"), "1");
    for name in [
        "forwarded",
        "x-forwarded-prefix",
        "x-real-ip",
        "authorization",
        "dpop",
        "connection",
    ] {
        assert!(seen.all(name).is_empty(), "{name}");
    }
}

/// Whoever names a header in `Connection` asks for it to be taken away: not ours.
#[tokio::test]
async fn connection_takes_nothing_of_ours_away() {
    let proxied = Proxied::start().await;
    let names = "x-internal-auth, X-Request-Id, x-forwarded-for, host, x-own";
    let answer = proxied
        .get(
            "/a",
            &format!("connection: {names}\r\nx-own: 1\r\nte: trailers\r\n"),
        )
        .await;
    assert_eq!(status(&answer), 200, "{answer}");
    let seen = proxied.one.only();
    proxied.token(&seen, "one", "GET", "/a").await.unwrap();
    assert_eq!(seen.one("x-request-id").len(), 32);
    assert_eq!(seen.one("x-forwarded-for"), "127.0.0.1");
    for name in ["x-own", "te", "connection"] {
        assert!(seen.all(name).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_path_that_servers_read_differently_is_refused() {
    let proxied = Proxied::start().await;
    for target in [
        "/a/../b",
        "/a/./b",
        "/..",
        "//evil.example/a",
        "/a//b",
        "/a\\b",
        "/%2e%2e/b",
        "/a/%2E/b",
        "/a%2fb",
        "/a%5Cb",
        "/a%00",
        "/api/v1/peers/two/../one/state",
        "/api/v1/peers/two%2fstate",
    ] {
        let answer = proxied.get(target, "").await;
        is_problem(&answer, 400, "MALFORMED_REQUEST");
    }
    let (host, close) = (proxied.address, "connection: close\r\n\r\n");
    for (line, expected) in [
        ("GET http://evil.example/ HTTP/1.1".to_owned(), 421),
        ("GET http://127.0.0.1:1/ HTTP/1.1".to_owned(), 400),
        ("OPTIONS * HTTP/1.1".to_owned(), 400),
        (format!("CONNECT {host} HTTP/1.1"), 405),
        ("TRACE / HTTP/1.1".to_owned(), 405),
        (format!("GET /?{} HTTP/1.1", "a".repeat(5_000)), 414),
        ("GET a HTTP/1.1".to_owned(), 421),
    ] {
        let answer = proxied
            .send(format!("{line}\r\nhost: {host}\r\n{close}"))
            .await;
        assert_eq!(status(&answer), expected, "{line}: {answer}");
    }
    assert!(proxied.one.seen().is_empty() && proxied.two.seen().is_empty());
    // The absolute form of our own is a path.
    let answer = proxied
        .send(format!(
            "GET http://{host}/a?b HTTP/1.1\r\nhost: {host}\r\n{close}"
        ))
        .await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(proxied.one.only().line, "GET /a?b HTTP/1.1");
}

#[tokio::test]
async fn another_name_is_not_ours() {
    let proxied = Proxied::start().await;
    let get = async |hosts: &str| {
        let request = format!("GET / HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
        proxied.send(request).await
    };
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:1",
    ] {
        is_problem(&get(&format!("host: {host}\r\n")).await, 421, "MISDIRECTED");
    }
    for hosts in ["", "host: localhost\r\nhost: localhost\r\n"] {
        assert_eq!(status(&get(hosts).await), 400, "{hosts}");
    }
    assert!(proxied.one.seen().is_empty());
    let named = "host: localhost\r\n";
    assert_eq!(status(&get(named).await), 200);
}

#[tokio::test]
async fn no_request_hides_in_another() {
    let proxied = Proxied::start().await;
    let host = proxied.address;
    let hidden = format!("GET /hidden HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let chunks = format!("0\r\n\r\n{hidden}");
    let length = chunks.len();
    for head in [
        format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"),
        format!("content-length: 5\r\ncontent-length: {length}\r\n"),
        format!("content-length: {length}\r\ncontent-length: {length}\r\n"),
        "transfer-encoding: gzip, chunked\r\n".to_owned(),
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n".to_owned(),
        "transfer-encoding : chunked\r\n".to_owned(),
        "transfer-encoding: xchunked\r\n".to_owned(),
        "content-length: +5\r\n".to_owned(),
        "x-folded: 1\r\n content-length: 5\r\n".to_owned(),
    ] {
        let request = format!("POST /a HTTP/1.1\r\nhost: {host}\r\n{head}\r\n{chunks}");
        let answer = proxied.send(request).await;
        assert_eq!(status(&answer), 400, "{head}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{head}: {answer}");
    }
    assert!(proxied.one.seen().is_empty(), "{:?}", proxied.one.seen());
    // What stands after a body is the next request, and judged like any other.
    let posts = format!(
        "POST /a HTTP/1.1\r\nhost: {host}\r\ncontent-length: 2\r\n\r\nok\
         GET /b HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n"
    );
    let answers = proxied.send(posts).await;
    assert_eq!(status(&answers), 200, "{answers}");
    assert!(answers.contains("HTTP/1.1 421"), "{answers}");
    assert_eq!(proxied.one.only().body, b"ok");
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let proxied = Proxied::start().await;
    let host = proxied.address;
    let post = async |headers: &str| {
        proxied
            .send(format!(
                "POST /api/sync HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: 0\r\n\
                 connection: close\r\n\r\n"
            ))
            .await
    };
    for headers in [
        "origin: http://evil.example\r\n",
        "origin: null\r\n",
        "origin: http://127.0.0.1:1\r\n",
        "sec-fetch-site: cross-site\r\n",
        "sec-fetch-site: same-site\r\n",
        "connection: origin\r\norigin: http://evil.example\r\n",
    ] {
        is_problem(&post(headers).await, 403, "CROSS_SITE_REQUEST");
    }
    let websocket = "upgrade: websocket\r\nconnection: upgrade\r\norigin: http://evil.example\r\n";
    is_problem(
        &proxied.get("/ws", websocket).await,
        403,
        "CROSS_SITE_REQUEST",
    );
    assert!(proxied.one.seen().is_empty());
    for headers in [
        "",
        "sec-fetch-site: same-origin\r\n",
        &format!("origin: http://{host}\r\n"),
    ] {
        let answer = post(headers).await;
        assert_eq!(status(&answer), 200, "{headers}: {answer}");
    }
}

#[tokio::test]
async fn a_role_does_what_it_may() {
    let proxied = Proxied::with(Role::Viewer, |_| {}, &CancellationToken::new()).await;
    let host = proxied.address;
    for target in ["/api/sync", "/api/v1/peers/two/sync"] {
        let post = format!(
            "POST {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let answer = proxied.send(post).await;
        is_problem(&answer, 403, "FORBIDDEN");
        assert!(answer.contains("credentials:write"), "{answer}");
    }
    assert!(proxied.one.seen().is_empty() && proxied.two.seen().is_empty());
    assert_eq!(status(&proxied.get("/api/state", "").await), 200);
    let seen = proxied.one.only();
    let caller = proxied
        .token(&seen, "one", "GET", "/api/state")
        .await
        .unwrap();
    assert!(
        caller
            .require_any_permission(&["credentials:write"])
            .is_err()
    );
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_to_wait() {
    let few = |settings: &mut gateway::proxy::Settings| {
        settings.requests_per_second = NonZeroU32::new(5).unwrap();
    };
    let proxied = Proxied::with(Role::Operator, few, &CancellationToken::new()).await;
    let mut refused = Vec::new();
    for _ in 0..40 {
        let answer = proxied.get("/a", "x-forwarded-for: 192.0.2.1\r\n").await;
        if status(&answer) != 200 {
            refused.push(answer);
        }
    }
    is_problem(&refused[0], 429, "TOO_MANY_ATTEMPTS");
    assert!(refused[0].contains("retry-after: 1"), "{}", refused[0]);
    assert_eq!(proxied.one.seen().len() + refused.len(), 40);
}

/// Pages of other sites may open a page, and ask for nothing else: no answer is for them, and no count is used up.
#[tokio::test]
async fn a_page_of_another_site_asks_for_nothing() {
    let proxied = Proxied::start().await;
    for site in ["cross-site", "same-site"] {
        let part = format!("sec-fetch-site: {site}\r\nsec-fetch-mode: no-cors\r\n");
        is_problem(
            &proxied.get("/api/state", &part).await,
            403,
            "CROSS_SITE_REQUEST",
        );
        let framed = format!(
            "sec-fetch-site: {site}\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: iframe\r\n"
        );
        is_problem(&proxied.get("/", &framed).await, 403, "CROSS_SITE_REQUEST");
        let opened = framed.replace("iframe", "document");
        assert_eq!(status(&proxied.get("/", &opened).await), 200);
    }
}

/// A page is its peer's own, and a peer may be somebody else's by now.
#[tokio::test]
async fn a_page_asks_its_own_peer_only() {
    let proxied = Proxied::start().await;
    let page = "sec-fetch-site: same-origin\r\nsec-fetch-mode: cors\r\n";
    let origin = format!("origin: http://{}\r\n", proxied.address);
    for by_a_page in [page, origin.as_str()] {
        let answer = proxied.get("/api/v1/peers/two/state", by_a_page).await;
        is_problem(&answer, 403, "CROSS_SITE_REQUEST");
        let own = proxied.get("/api/v1/peers/one/state", by_a_page).await;
        assert_eq!(status(&own), 200, "{own}");
    }
    assert!(proxied.two.seen().is_empty());
    let typed = "sec-fetch-site: none\r\n";
    assert_eq!(
        status(&proxied.get("/api/v1/peers/two/state", typed).await),
        200
    );
}

/// Whoever sends on would lose the body.
#[tokio::test]
async fn a_get_has_no_body() {
    let proxied = Proxied::start().await;
    let (host, close) = (proxied.address, "connection: close\r\n");
    let chunked = "transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    let request = format!("GET /a HTTP/1.1\r\nhost: {host}\r\n{close}{chunked}");
    is_problem(&proxied.send(request).await, 400, "MALFORMED_REQUEST");
    assert!(proxied.one.seen().is_empty());
}
