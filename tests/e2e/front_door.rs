//! Peers that ask who comes: tokens on real peers, over real servers (`docs/front-door.md`).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jwt_auth::ProvenRequest;
use jwt_auth::guard::INTERNAL_AUTH;
use mesh_api::permission::Role;
use reqwest::Method;
use serde_json::json;

use crate::mesh::{Gateway, Mesh, Options, Peer, until};

const SECRET: &str = "a secret behind the front door";

/// A peer reads the key set again for an unknown key, when it has not done so for a second.
const COOL_DOWN: Duration = Duration::from_millis(1_200);

fn gateway(mesh: &Mesh) -> &Gateway {
    mesh.http.gateway().expect("peers that ask")
}

/// The status of a request without any token.
async fn bare(mesh: &Mesh, method: Method, peer: Peer, path: &str) -> (u16, String) {
    let answer = mesh.request(method, peer, path).send().await;
    let answer = answer.expect("an answer");
    let challenge = answer.headers().get("www-authenticate");
    let challenge = challenge.map_or("", |it| it.to_str().expect("text"));
    (answer.status().as_u16(), challenge.to_owned())
}

/// The status and code of a GET with an internal token.
async fn internally(mesh: &Mesh, peer: Peer, path: &str, token: &str) -> (u16, String) {
    let request = mesh.request(Method::GET, peer, path);
    let answer = mesh.send(request.header(INTERNAL_AUTH, token)).await;
    let answer = answer.expect("an answer");
    let code = answer.body["error"].as_str().unwrap_or_default();
    (answer.status, code.to_owned())
}

#[tokio::test]
async fn without_a_token_nobody_sees_or_changes_anything() {
    let mesh = Options::default().tokens().start().await;
    for peer in [Peer::Authority, Peer::LeptosAxum, Peer::LeptosActix] {
        for (method, path) in [
            (Method::GET, "/api/state"),
            (Method::GET, "/admin/state"),
            (Method::GET, "/api/mesh/events"),
            (Method::POST, "/api/ensure"),
            (Method::POST, "/admin/revoke"),
            (Method::DELETE, "/api/targets/consumer"),
        ] {
            let (status, challenge) = bare(&mesh, method, peer, path).await;
            assert_eq!(status, 401, "{} {path}", peer.name());
            assert!(challenge.contains("DPoP algs="), "{challenge}");
        }
    }
    for peer in [Peer::LeptosAxum, Peer::LeptosActix] {
        for page in ["/", "/targets", "/health", "/clients/http/a", "/nowhere"] {
            let (status, _) = bare(&mesh, Method::GET, peer, page).await;
            assert_eq!(status, 401, "{} {page}", peer.name());
            let viewer = gateway(&mesh)
                .internal(peer, Role::Viewer, "GET", page)
                .await;
            let (status, _) = internally(&mesh, peer, page, &viewer).await;
            assert_ne!(status, 401, "{} {page}", peer.name());
        }
    }
    for peer in Peer::ALL {
        let (status, _) = bare(&mesh, Method::GET, peer, "/metrics").await;
        assert_eq!(status, 401, "{}", peer.name());
        for open in ["/livez", "/readyz", "/openapi.json", "/docs"] {
            let (status, _) = bare(&mesh, Method::GET, peer, open).await;
            assert_eq!(status, 200, "{} {open}", peer.name());
        }
    }
    // Signed calls are another door.
    mesh.ensure(Peer::Authority, "caller", SECRET, &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 3).await;
}

#[tokio::test]
async fn a_token_of_the_gateway_is_for_one_peer_and_one_request() {
    let mut mesh = Options::default().tokens().start().await;
    let state = "/api/state?limit=1";
    let token = gateway(&mesh)
        .internal(Peer::Authority, Role::Viewer, "GET", state)
        .await;
    let refused = (401, "UNAUTHENTICATED".to_owned());
    assert_eq!(
        internally(&mesh, Peer::LeptosAxum, state, &token).await,
        refused
    );
    assert_eq!(
        internally(&mesh, Peer::Authority, "/api/state", &token).await,
        refused
    );
    assert_eq!(
        internally(&mesh, Peer::Authority, state, &token).await.0,
        200
    );
    assert_eq!(
        internally(&mesh, Peer::Authority, state, &token).await,
        refused
    );
    // What was used is remembered in Redis, not in the process.
    mesh.stop_peer(Peer::Authority).await;
    mesh.start_peer(Peer::Authority).await;
    assert_eq!(
        internally(&mesh, Peer::Authority, state, &token).await,
        refused
    );
    // A viewer may not change anything, and reads which permission is missing.
    let viewer = gateway(&mesh)
        .internal(Peer::Authority, Role::Viewer, "POST", "/api/sync")
        .await;
    let request = mesh.request(Method::POST, Peer::Authority, "/api/sync");
    let answer = mesh.send(request.header(INTERNAL_AUTH, viewer)).await;
    let answer = answer.unwrap().refused(403, "FORBIDDEN").unwrap();
    assert_eq!(
        answer.body["message"],
        "the permission credentials:write is missing"
    );
}

/// Nobody comes through the gateway whose token may have been used; a token that needs no such memory still counts.
#[tokio::test]
async fn a_redis_that_is_away_lets_nobody_in_by_the_gateway() {
    let mut mesh = Options::default().tokens().start().await;
    mesh.redis_of(Peer::Authority).kill().await;
    let path = "/api/state";
    let token = gateway(&mesh)
        .internal(Peer::Authority, Role::Operator, "GET", path)
        .await;
    let answer = internally(&mesh, Peer::Authority, path, &token).await;
    assert_eq!(answer, (503, "AUTH_UNAVAILABLE".to_owned()));
    let answer = mesh.get(Peer::Authority, path).await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    mesh.redis_of(Peer::Authority).start().await;
    until("the gateway's tokens count again", async || {
        let token = gateway(&mesh).internal(Peer::Authority, Role::Operator, "GET", path);
        match internally(&mesh, Peer::Authority, path, &token.await).await {
            (200, _) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

/// Whoever finds a token cannot use it: a peer takes tokens that are bound to a key, with a proof for its URL, once.
#[tokio::test]
async fn a_peer_takes_no_token_that_anybody_could_use() {
    let options = Options::default().tokens();
    let mesh = options.everyone("MANAGEMENT_BEARER", "false").start().await;
    for peer in [Peer::Authority, Peer::LeptosActix] {
        let bearer = mesh.get(peer, "/api/state").await.unwrap();
        bearer.refused(401, "UNAUTHENTICATED").unwrap();
        let (token, prover) = gateway(&mesh).bound(peer, "mesh:read").await;
        let prove = async |base: &str| {
            let url = format!("{base}/api/state");
            let request = ProvenRequest {
                method: "GET",
                url: &url,
                access_token: Some(&token),
                nonce: None,
            };
            prover.prove(request).await.unwrap().expose().to_owned()
        };
        let status = async |proof: &str| {
            let request = mesh.request(Method::GET, peer, "/api/state");
            let request = request.header("authorization", format!("DPoP {}", token.expose()));
            mesh.send(request.header("dpop", proof))
                .await
                .unwrap()
                .status
        };
        let proof = prove(mesh.url(peer)).await;
        assert_eq!(status(&proof).await, 200, "{}", peer.name());
        assert_eq!(status(&proof).await, 401, "{}", peer.name());
        let elsewhere = prove("http://elsewhere.example").await;
        assert_eq!(status(&elsewhere).await, 401, "{}", peer.name());
    }
}

/// A new key is published, then it signs, then the old one is taken away: nobody is refused meanwhile, and then the old one is.
#[tokio::test]
async fn the_gateways_key_is_rotated_without_a_refusal() {
    let mesh = Options::default().tokens().start().await;
    let (old, next) = (gateway(&mesh).key(), gateway(&mesh).next_key());
    let old_token = gateway(&mesh).token(Peer::Authority).await;
    // Both peers have read the old set, and may read it again: the new key is found because it is asked for.
    for peer in [Peer::Authority, Peer::LeptosActix] {
        mesh.get(peer, "/api/state").await.unwrap().is(200).unwrap();
    }
    tokio::time::sleep(COOL_DOWN).await;
    let (ended, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let calls = async {
        while !ended.load(Ordering::SeqCst) {
            let body = json!({ "secret": SECRET });
            mesh.accept(Peer::Authority, "/hash", &body).await;
            let path = "/api/local-clients";
            let token = gateway(&mesh).internal(Peer::LeptosActix, Role::Viewer, "GET", path);
            let answer = internally(&mesh, Peer::LeptosActix, path, &token.await).await;
            let calls = done.fetch_add(1, Ordering::SeqCst);
            assert_eq!(answer.0, 200, "call {calls}: {answer:?}");
        }
    };
    let rotation = async {
        gateway(&mesh).publish(&[old.clone(), next.key().clone()]);
        gateway(&mesh).sign_with(next.clone());
        let before = done.load(Ordering::SeqCst);
        until("calls are made with the new key", async || {
            match done.load(Ordering::SeqCst) - before {
                0..=10 => Err("some more are"),
                _ => Ok(()),
            }
        })
        .await;
        gateway(&mesh).publish(&[next.key().clone()]);
        until("the old key counts no longer", async || {
            let request = mesh.request(Method::GET, Peer::Authority, "/api/state");
            let answer = mesh.send(request.bearer_auth(&old_token)).await?;
            match answer.status {
                401 => Ok(()),
                status => Err(status.to_string()),
            }
        })
        .await;
        ended.store(true, Ordering::SeqCst);
    };
    tokio::join!(calls, rotation);
    let calls = done.into_inner();
    assert!(calls > 10, "{calls} calls are no stream");
}
