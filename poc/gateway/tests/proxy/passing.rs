//! What is handed on, and what comes back.

use crate::support::{Proxied, is_problem, send, status};

#[tokio::test]
async fn a_token_is_for_the_request_that_is_sent() {
    let proxied = Proxied::start().await;
    let target = "/api/timeline?clientId=a%2Fb&x=//..";
    assert_eq!(status(&proxied.get(target, "").await), 200);
    let seen = proxied.one.only();
    assert_eq!(seen.line, format!("GET {target} HTTP/1.1"));
    let token = async |audience, method, uri| {
        let verified = proxied.token(&seen, audience, method, uri).await;
        verified.map(|caller| caller.subject)
    };
    assert_eq!(token("one", "GET", target).await.unwrap(), "me");
    assert!(token("two", "GET", target).await.is_err());
    assert!(token("one", "POST", target).await.is_err());
    assert!(token("one", "GET", "/api/timeline").await.is_err());
    assert_eq!(status(&proxied.get(target, "").await), 200);
    let all = proxied.one.seen();
    let tokens: Vec<_> = all.iter().map(|seen| seen.one("x-internal-auth")).collect();
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn any_peer_is_managed_through_one_listener() {
    let proxied = Proxied::start().await;
    let answer = proxied.get("/api/v1/peers/two/state?limit=1", "").await;
    assert_eq!(status(&answer), 200, "{answer}");
    let seen = proxied.two.only();
    assert_eq!(seen.line, "GET /api/state?limit=1 HTTP/1.1");
    let uri = "/api/state?limit=1";
    proxied.token(&seen, "two", "GET", uri).await.unwrap();
    assert!(proxied.token(&seen, "one", "GET", uri).await.is_err());
    is_problem(
        &proxied.get("/api/v1/peers/three/state", "").await,
        404,
        "NOT_FOUND",
    );
    assert!(proxied.one.seen().is_empty());
}

#[tokio::test]
async fn an_answer_shows_nothing_of_between_us() {
    let proxied = Proxied::start().await;
    let answer = proxied.get("/a", "").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "ok");
    for absent in [
        "x-hop",
        "keep-alive",
        "x-internal-auth",
        "theirs\r\n",
        "evil",
    ] {
        assert!(!head.contains(absent), "{absent}: {head}");
    }
    assert!(head.contains("set-cookie: theirs=1"), "{head}");
    assert!(head.contains("x-kept: 1"), "{head}");
    let request_id = proxied.one.only().one("x-request-id").to_owned();
    assert!(
        head.contains(&format!("x-request-id: {request_id}")),
        "{head}"
    );
}

#[tokio::test]
async fn a_peer_that_is_away_is_a_problem_with_a_code() {
    // Nobody listens on it, and nobody else gets it.
    let port = tokio::net::TcpSocket::new_v4().unwrap();
    port.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let away = |settings: &mut gateway::proxy::Settings| {
        let url = format!("away=http://{}", port.local_addr().unwrap());
        settings.upstreams.push(url.parse().unwrap());
        settings.limits.first_byte = std::time::Duration::from_millis(300);
    };
    let role = mesh_api::permission::Role::Operator;
    let proxied = Proxied::with(role, away, &Default::default()).await;
    let answer = proxied.get("/api/v1/peers/away/state", "").await;
    is_problem(&answer, 503, "UPSTREAM_UNAVAILABLE");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    is_problem(&proxied.get("/cut", "").await, 502, "UPSTREAM_FAILED");
    is_problem(&proxied.get("/silent", "").await, 504, "UPSTREAM_TIMEOUT");
    // Nobody waits any more, so the peer need not go on.
    proxied
        .one
        .until("the peer is told", |seen| seen.iter().any(|it| it.is_gone))
        .await;
}

#[tokio::test]
async fn the_gateway_has_probes_of_its_own() {
    let proxied = Proxied::start().await;
    let probe = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        send(proxied.probes, request.as_bytes()).await
    };
    assert!(probe("/livez").await.ends_with(r#"{"status":"alive"}"#));
    assert!(probe("/readyz").await.ends_with(r#"{"status":"ready"}"#));
    assert_eq!(status(&probe("/api/state").await), 404);
    assert!(proxied.one.seen().is_empty());
    assert_eq!(status(&proxied.get("/livez", "").await), 200);
    assert_eq!(proxied.one.only().line, "GET /livez HTTP/1.1");
}
