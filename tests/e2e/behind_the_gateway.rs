//! Real peers behind the gateway's proxy: what a browser or a program reaches through it, and what it never does.

use std::time::Duration;

use e2e::gateway::{Keys, Proxy, proxy};
use jwt_auth::Jwks;
use jwt_auth::guard::INTERNAL_AUTH;
use mesh_api::permission::Role;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::mesh::{Mesh, Options, Peer, until};

const SECRET: &str = "a secret behind the gateway";

/// A whole answer has come within this time.
const WITHIN: Duration = Duration::from_secs(20);

/// Both dashboards in one role, the authority by its name.
struct Front {
    proxy: Proxy,
    _keys: Keys,
    _logs: TempDir,
}

/// Lets the peers read the key of a gateway beside the story's own.
pub(crate) fn let_in(mesh: &Mesh, keys: &Keys) {
    let own = mesh.http.gateway().expect("peers that ask");
    let set = std::fs::read(keys.set()).expect("the key set");
    let set = Jwks::parse(&set).expect("a key set");
    own.publish(&[own.key(), set.keys()[0].clone()]);
}

impl Front {
    /// Starts the proxy, and lets the peers read its key beside the story's own.
    async fn start(mesh: &Mesh, role: &str) -> Self {
        let (keys, logs) = (Keys::init(), tempfile::tempdir().expect("a folder"));
        let_in(mesh, &keys);
        let upstreams = [Peer::LeptosAxum, Peer::LeptosActix, Peer::Authority];
        let upstreams = upstreams.map(|peer| (peer.name(), mesh.url(peer)));
        let log = logs.path().join("gateway.log");
        let front = Self {
            proxy: proxy(&keys, role, &upstreams, 2, &log).await,
            _keys: keys,
            _logs: logs,
        };
        until("every peer has read the key", async || {
            for path in ["/api/state", "/api/v1/peers/leptos-actix/state", AUTHORITY] {
                let answer = mesh.send(front.request(mesh, Method::GET, path)).await?;
                answer.is(200)?;
            }
            Ok::<_, String>(())
        })
        .await;
        front
    }

    /// A request to the first dashboard.
    fn request(&self, mesh: &Mesh, method: Method, path: &str) -> RequestBuilder {
        let url = self.proxy.dashboards[0].join(path).expect("a path");
        mesh.http.request(method, url.to_string())
    }

    /// Sends bytes, and reads until the gateway ends the connection.
    async fn raw(&self, bytes: &str) -> String {
        let port = self.proxy.dashboards[0].port().expect("a port");
        let exchange = async {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.write_all(bytes.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = timeout(WITHIN, exchange).await.expect("an end");
        answer.expect("an answer")
    }
}

const AUTHORITY: &str = "/api/v1/peers/authority/state";

#[tokio::test]
async fn a_dashboard_works_through_the_gateway() {
    let mut mesh = Options::default().tokens().start().await;
    let front = Front::start(&mesh, "operator").await;
    for dashboard in &front.proxy.dashboards {
        let url = dashboard.join("/targets").expect("a path");
        let page = mesh.http.request(Method::GET, url.to_string());
        let page = page.header("accept", "text/html").send().await.unwrap();
        assert_eq!(page.status(), 200);
        let name = page.headers().get("x-request-id").cloned();
        assert_eq!(name.map_or(0, |name| name.len()), 32);
    }
    let targets = Peer::LeptosAxum.others().map(Peer::name);
    let body = json!({ "clientId": "through", "secret": SECRET, "targets": targets });
    let ensure = front.request(&mesh, Method::POST, "/api/ensure");
    let answer = mesh.send(ensure.json(&body)).await.unwrap();
    answer.is(200).unwrap();
    mesh.until_success(Peer::LeptosAxum, 3).await;

    // A stream of events begins, and ends when the peer does. A peer that is away is told from one that refuses.
    let events = front.request(&mesh, Method::GET, "/api/mesh/events");
    let mut events = events.send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let first = timeout(WITHIN, events.chunk()).await.expect("an event");
    assert!(first.unwrap().is_some());
    mesh.stop_peer(Peer::LeptosAxum).await;
    let state = front.request(&mesh, Method::GET, "/api/state");
    let away = mesh.send(state).await.unwrap();
    away.refused(503, "UPSTREAM_UNAVAILABLE").unwrap();
    let other = front.request(&mesh, Method::GET, AUTHORITY);
    mesh.send(other).await.unwrap().is(200).unwrap();
    mesh.start_peer(Peer::LeptosAxum).await;
    let state = front.request(&mesh, Method::GET, "/api/state");
    mesh.send(state).await.unwrap().is(200).unwrap();
    assert!(front.proxy.process.stop(WITHIN), "it ends when it is asked");
}

#[tokio::test]
async fn nothing_is_forged_through_the_gateway() {
    let mesh = Options::default().tokens().start().await;
    let front = Front::start(&mesh, "viewer").await;
    let own = mesh.http.gateway().expect("peers that ask");

    // A token that would open the route, had the gateway handed it on.
    let sync = "/api/sync";
    for connection in ["close", "close, x-internal-auth"] {
        let token = own
            .internal(Peer::LeptosAxum, Role::Operator, "POST", sync)
            .await;
        let bearer = format!("Bearer {}", own.token(Peer::LeptosAxum).await);
        let request = front.request(&mesh, Method::POST, sync);
        let request = request.header(INTERNAL_AUTH, token);
        let request = request.header("authorization", bearer);
        let answer = mesh.send(request.header("connection", connection)).await;
        let answer = answer.unwrap().refused(403, "FORBIDDEN").unwrap();
        let message = "the permission credentials:write is missing";
        assert_eq!(answer.body["message"], message);
    }
    // Nor is any where the gateway does not know the route's permission, and the peer decides.
    let echo = front.request(&mesh, Method::POST, "/api/echo");
    mesh.send(echo).await.unwrap().is(401).unwrap();

    let host = front.proxy.dashboards[0].authority().to_owned();
    let get = |target: &str, host: &str, more: &str| {
        format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n{more}connection: close\r\n\r\n")
    };
    let two = "content-length: 5\r\ntransfer-encoding: chunked\r\n";
    for (request, status) in [
        (get("/api/state", "evil.example", ""), 421),
        (get("http://evil.example/api/state", &host, ""), 421),
        (get("/pages/../api/state", &host, ""), 400),
        (get("/pages/%2e%2e/api/state", &host, ""), 400),
        (get("//api/state", &host, ""), 400),
        (get("/api%2fstate", &host, ""), 400),
        (get("/api/state%00", &host, ""), 400),
        (get("/api/state", &host, "host: evil.example\r\n"), 400),
        (format!("{}0\r\n\r\n", get("/api/state", &host, two)), 400),
        (get("/api/state", &host, ""), 200),
    ] {
        let answer = front.raw(&request).await;
        let line = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&line), "{request}: {answer}");
    }
    let forged = "x-request-id: forged\r\nx-forwarded-for: 192.0.2.1\r\n";
    let answer = front.raw(&get("/api/state", &host, forged)).await;
    assert!(!answer.contains("forged"), "{answer}");
    let log = mesh.log(Peer::LeptosAxum).await;
    assert!(
        !log.contains("forged"),
        "a forged name is in the peer's log"
    );

    // A page of another site cannot use the operator's way in.
    let request = front.request(&mesh, Method::POST, sync);
    let answer = mesh
        .send(request.header("origin", "http://evil.example"))
        .await;
    answer.unwrap().refused(403, "CROSS_SITE_REQUEST").unwrap();
}
