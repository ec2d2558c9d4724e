//! Signed calls are accepted or refused by the contract, by every peer alike.

use std::time::Duration;

use hmac_auth::canonical::{hash_body, sign_request, signing_payload};
use hmac_auth::secret_hash::SecretHash;
use hmac_auth::sign::SignedHeaders;
use reqwest::Method;
use serde_json::json;

use crate::mesh::{Answer, Caller, Mesh, Options, Peer, now_ms};

const CLIENT: &str = "caller";
const SECRET: &str = "a secret of the caller";

async fn with_client() -> (Mesh, SecretHash, Caller) {
    let mesh = Mesh::start().await;
    mesh.ensure(Peer::Authority, CLIENT, SECRET, &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 3).await;
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    let caller = Caller::new(CLIENT, hash.clone());
    (mesh, hash, caller)
}

#[tokio::test]
async fn a_signed_call_is_accepted_by_every_peer() {
    let (mesh, _, caller) = with_client().await;
    for peer in Peer::ALL {
        let answer = mesh.call(peer, &caller).await.unwrap();
        assert_eq!(answer.status, 200, "{}: {answer}", peer.name());
        assert_eq!(answer.body["ok"], true);
        assert_eq!(answer.body["clientId"], CLIENT);
        assert_eq!(answer.body["peer"], peer.name());
        let body = json!({ "order": [3, 2, 1], "text": "grüße" });
        let answer = mesh.call_with(peer, &caller, &body).await.unwrap();
        assert_eq!(answer.status, 200, "{}: {answer}", peer.name());
        assert_eq!(answer.body["received"], body, "{}", peer.name());
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let (mesh, _, _) = with_client().await;
    let wrong = Caller::new(
        CLIENT,
        mesh.secrets
            .hash(Peer::Authority, "not the caller's secret"),
    );
    let unknown = Caller::new("nobody", mesh.secrets.hash(Peer::Authority, SECRET));
    for peer in Peer::ALL {
        mesh.call(peer, &wrong)
            .await
            .unwrap()
            .refused(401, "BAD_SIGNATURE")
            .unwrap();
        let answer = mesh.call_with(peer, &wrong, &json!({})).await.unwrap();
        answer.refused(401, "BAD_SIGNATURE").unwrap();
        mesh.call(peer, &unknown)
            .await
            .unwrap()
            .refused(401, "UNKNOWN_CLIENT")
            .unwrap();
    }
}

#[tokio::test]
async fn a_nonce_is_accepted_once() {
    let (mesh, _, caller) = with_client().await;
    for peer in Peer::ALL {
        let headers = caller.headers("GET", b"");
        mesh.call_signed(peer, &headers)
            .await
            .unwrap()
            .is(200)
            .unwrap();
        mesh.call_signed(peer, &headers)
            .await
            .unwrap()
            .refused(401, "REPLAYED_NONCE")
            .unwrap();
    }
}

#[tokio::test]
async fn a_forged_request_costs_no_round_trip() {
    const FORGED: usize = 200;
    let (mesh, _, caller) = with_client().await;
    let forger = Caller::new(
        CLIENT,
        mesh.secrets
            .hash(Peer::Authority, "not the caller's secret"),
    );
    for peer in Peer::ALL {
        // The credential is in the peer's cache from here on.
        mesh.call(peer, &caller).await.unwrap().is(200).unwrap();
        let before = nonces_asked_for(&mesh, peer).await;
        for _ in 0..FORGED {
            mesh.call(peer, &forger)
                .await
                .unwrap()
                .refused(401, "BAD_SIGNATURE")
                .unwrap();
        }
        assert_eq!(
            nonces_asked_for(&mesh, peer).await,
            before,
            "{}: the forged ones",
            peer.name()
        );
        mesh.call(peer, &caller).await.unwrap().is(200).unwrap();
        assert_eq!(
            nonces_asked_for(&mesh, peer).await,
            before + 1,
            "{}: the true one",
            peer.name()
        );
    }
}

/// How many nonces of the client the peer's Redis was asked to keep: none of them expires within the story. (Its other commands cannot be
/// counted from outside: readiness writes, and the cache of credentials listens.)
async fn nonces_asked_for(mesh: &Mesh, peer: Peer) -> usize {
    mesh.keys(peer, &format!("hmac:http:nonce:{CLIENT}:*"))
        .await
        .len()
}

/// No promise, but a limit that `docs/security-model.md` names: whoever changes it changes the page.
#[tokio::test]
async fn a_signature_names_no_peer() {
    let mesh = Mesh::start().await;
    mesh.ensure(Peer::Authority, "everywhere", SECRET, &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::Authority, 1).await;
    let caller = Caller::new("everywhere", mesh.secrets.hash(Peer::Authority, SECRET));
    let headers = caller.headers("GET", b"");
    for peer in [Peer::Authority, Peer::Consumer] {
        mesh.call_signed(peer, &headers)
            .await
            .unwrap()
            .is(200)
            .expect("it is valid at each, once");
        mesh.call_signed(peer, &headers)
            .await
            .unwrap()
            .refused(401, "REPLAYED_NONCE")
            .unwrap();
    }
}

#[tokio::test]
async fn every_malformed_signature_gets_its_code() {
    let (mesh, hash, caller) = with_client().await;
    let at = |timestamp: i64, nonce: &str| {
        let payload = signing_payload("GET", "/api/echo", timestamp, nonce, &hash_body(b""));
        SignedHeaders {
            client_id: CLIENT.to_owned(),
            timestamp: timestamp.to_string(),
            nonce: nonce.to_owned(),
            signature: sign_request(&hash, &payload),
        }
    };
    let good = caller.headers("GET", b"");
    let cases = [
        (
            "MISSING_CLIENT_ID",
            SignedHeaders {
                client_id: " ".to_owned(),
                ..good.clone()
            },
        ),
        (
            "MISSING_SIGNATURE",
            SignedHeaders {
                signature: String::new(),
                ..good.clone()
            },
        ),
        (
            "MISSING_TIMESTAMP",
            SignedHeaders {
                timestamp: String::new(),
                ..good.clone()
            },
        ),
        (
            "MISSING_NONCE",
            SignedHeaders {
                nonce: String::new(),
                ..good.clone()
            },
        ),
        (
            "INVALID_TIMESTAMP",
            SignedHeaders {
                timestamp: "1e3".to_owned(),
                ..good.clone()
            },
        ),
        (
            "INVALID_TIMESTAMP",
            SignedHeaders {
                timestamp: "99999999999999999999".to_owned(),
                ..good.clone()
            },
        ),
        ("TIMESTAMP_SKEW", at(now_ms() - 400_000, "old")),
        ("TIMESTAMP_SKEW", at(now_ms() + 400_000, "new")),
        (
            "UNKNOWN_CLIENT",
            SignedHeaders {
                client_id: "nobody".to_owned(),
                ..good.clone()
            },
        ),
        (
            "BAD_SIGNATURE",
            SignedHeaders {
                signature: "0".repeat(64),
                ..good.clone()
            },
        ),
        (
            "BAD_SIGNATURE",
            SignedHeaders {
                nonce: "another".to_owned(),
                ..good.clone()
            },
        ),
        ("BAD_SIGNATURE", caller.headers("POST", b"")),
    ];
    for peer in Peer::ALL {
        for (code, headers) in &cases {
            let answer = mesh.call_signed(peer, headers).await.unwrap();
            let answer = answer
                .refused(401, code)
                .unwrap_or_else(|seen| panic!("{}: {code}: {seen}", peer.name()));
            assert!(answer.body["message"].is_string(), "{answer}");
        }
        // The same headers, untouched, are still good: no refusal used the nonce up.
        mesh.call_signed(peer, &good)
            .await
            .unwrap()
            .is(200)
            .unwrap();
    }
}

#[tokio::test]
async fn a_header_given_twice_is_refused() {
    let (mesh, _, caller) = with_client().await;
    for peer in Peer::ALL {
        let headers = caller.headers("GET", b"");
        let mut request = mesh.request(Method::GET, peer, "/api/echo");
        for (name, value) in headers.pairs() {
            request = request.header(name, value);
        }
        let answer = mesh
            .send(request.header("x-client-id", "other"))
            .await
            .unwrap();
        assert_eq!(answer.status, 401, "{}: {answer}", peer.name());
    }
}

#[tokio::test]
async fn expiry_and_rules_are_enforced_by_every_peer() {
    let mesh = Mesh::start().await;
    let targets: Vec<&str> = Peer::Authority.others().map(Peer::name).to_vec();
    let mut here = mesh.own_addresses();
    here.push("192.0.2.7".to_owned());
    let ensure = |client: &str, rules: serde_json::Value, expires_at: serde_json::Value| json!({ "clientId": client, "secret": SECRET, "targets": targets, "allowedIps": rules, "expiresAt": expires_at });
    let soon = now_ms() + 5_000;
    for body in [
        ensure("expired", json!([]), json!(soon)),
        ensure("elsewhere", json!(["192.0.2.0/24"]), json!(null)),
        ensure("here", json!(here), json!(now_ms() + 3_600_000)),
    ] {
        mesh.accept(Peer::Authority, "/ensure", &body).await;
    }
    mesh.until_success(Peer::Authority, 9).await;
    while now_ms() <= soon {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    let caller = |client: &str| Caller::new(client, hash.clone());
    for peer in Peer::ALL {
        let call =
            async |client: &str| -> Answer { mesh.call(peer, &caller(client)).await.unwrap() };
        call("expired")
            .await
            .refused(401, "CLIENT_EXPIRED")
            .unwrap();
        call("elsewhere")
            .await
            .refused(403, "CLIENT_IP_NOT_ALLOWED")
            .unwrap();
        call("here").await.is(200).unwrap();
        // A header that anyone may send does not move the caller.
        let headers = caller("elsewhere").headers("GET", b"");
        let mut request = mesh
            .request(Method::GET, peer, "/api/echo")
            .header("x-forwarded-for", "192.0.2.7");
        for (name, value) in headers.pairs() {
            request = request.header(name, value);
        }
        mesh.send(request)
            .await
            .unwrap()
            .refused(403, "CLIENT_IP_NOT_ALLOWED")
            .unwrap();
    }
}

#[tokio::test]
async fn a_peer_calls_others_for_an_operator() {
    let (mesh, _, _) = with_client().await;
    let call = async |body: serde_json::Value| {
        mesh.post(Peer::Authority, "/call-target", &body)
            .await
            .unwrap()
    };
    for peer in Peer::ALL {
        let answer = call(json!({ "target": peer.name(), "clientId": CLIENT }))
            .await
            .is(201)
            .unwrap();
        assert_eq!(answer.body["status"], 200, "{answer}");
        assert_eq!(answer.body["body"]["peer"], peer.name());
        let answer =
            call(json!({ "target": mesh.url(peer), "clientId": CLIENT, "secret": SECRET })).await;
        assert_eq!(answer.body["status"], 200, "{answer}");
        let wrong = call(
            json!({ "target": peer.name(), "clientId": CLIENT, "secret": "another secret here" }),
        )
        .await;
        assert_eq!(
            (&wrong.body["status"], &wrong.body["body"]["error"]),
            (&json!(401), &json!("BAD_SIGNATURE"))
        );
    }
    let foreign =
        call(json!({ "target": "http://127.0.0.1:1/api/echo", "clientId": CLIENT })).await;
    assert_eq!(
        (foreign.status, &foreign.body["field"]),
        (400, &json!("target")),
        "no open proxy: {foreign}"
    );
    let answer = call(json!({ "target": "consumer", "clientId": "nobody" })).await;
    answer.refused(404, "UNKNOWN_CLIENT").unwrap();
}

#[tokio::test]
async fn a_nonce_counts_once_for_all_instances_on_one_redis() {
    const INSTANCES: [Peer; 2] = [Peer::LeptosAxum, Peer::LeptosActix];
    let mut mesh = Options::default().start_without_peers().await;
    let shared = mesh.redis_url(INSTANCES[0]).to_owned();
    mesh.set(INSTANCES[1], "REDIS_URL", &shared);
    for peer in [Peer::Authority, INSTANCES[0], INSTANCES[1]] {
        mesh.start_peer(peer).await;
    }
    mesh.ensure(Peer::Authority, "twice", SECRET, &[INSTANCES[0]])
        .await;
    let caller = Caller::new("twice", mesh.secrets.hash(Peer::Authority, SECRET));
    mesh.until_let_in(&INSTANCES, &caller).await;
    for _ in 0..50 {
        let headers = caller.headers("GET", b"");
        let (first, second) = tokio::join!(
            mesh.call_signed(INSTANCES[0], &headers),
            mesh.call_signed(INSTANCES[1], &headers),
        );
        let (first, second) = (first.unwrap(), second.unwrap());
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "{first}, {second}");
    }
}
