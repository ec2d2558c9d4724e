//! The cases.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_auth::{Algorithm, DpopProver};
use serde_json::{Value, json};

use crate::http_guard::call::{Answer, call, head};
use crate::http_guard::issuer::{Issuer, proof, signer};
use crate::http_guard::world::World;

async fn get(server: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Answer {
    call(server, head("GET", target, headers)).await
}

/// The handler learns who it is, and the answer bears the request's name. Queries and escapes stay as they were sent.
pub async fn an_internal_token_opens_the_route_it_is_for(world: World) {
    let issuer = Issuer::new();
    let server = world.start(issuer.guards()).await;
    for target in ["/internal", "/internal?a=%2F&b=%c3%a4", "/internal?"] {
        let token = issuer.internal(target, |_| ()).await;
        let answer = get(server, target, &[("X-Internal-Auth", &token)]).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "42"),
            "{target}: {answer:?}"
        );
        assert_eq!(answer.value("x-request-id"), Some("r-1"));
    }
    let token = issuer
        .internal("/internal", |grant| grant.method = "DELETE")
        .await;
    let answer = call(
        server,
        head("DELETE", "/internal", &[("x-internal-auth", &token)]),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Tokens that are refused at `target`.
async fn refused(
    issuer: &Issuer,
    other: &Issuer,
    target: &str,
    used: String,
) -> [(&'static str, String); 7] {
    [
        ("used", used),
        ("garbage", "garbage".to_owned()),
        ("of another key", other.internal(target, |_| ()).await),
        (
            "for another service",
            issuer.internal(target, |it| it.audience = "api").await,
        ),
        (
            "for another target",
            issuer.internal("/internal", |_| ()).await,
        ),
        (
            "for another method",
            issuer.internal(target, |it| it.method = "POST").await,
        ),
        (
            "an access token",
            issuer
                .access("user.request", None)
                .await
                .expose()
                .to_owned(),
        ),
    ]
}

/// The four codes of the original, a challenge with each 401 (RFC 9110, section 15.5.2), and no word of the token.
pub async fn an_internal_token_is_refused_with_its_code(world: World) {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let server = world.start(issuer.guards()).await;
    let target = "/internal?x=1";
    let used = issuer.internal(target, |_| ()).await;
    assert_eq!(
        get(server, target, &[("x-internal-auth", &used)])
            .await
            .status,
        200
    );
    let tokens = refused(&issuer, &other, target, used).await;
    for (what, token) in &tokens {
        let answer = get(server, target, &[("x-internal-auth", token)]).await;
        let read = (
            answer.status,
            answer.member("code"),
            answer.value("www-authenticate"),
        );
        assert_eq!(
            read,
            (401, "INTERNAL_AUTH_INVALID".to_owned(), Some("Internal")),
            "{what}"
        );
        assert!(!answer.body.contains(token.as_str()), "{what}: {answer:?}");
        assert_eq!(answer.value("cache-control"), Some("no-store"));
    }
    let twice = issuer.internal(target, |_| ()).await;
    let answer = get(
        server,
        target,
        &[("x-internal-auth", &twice), ("x-internal-auth", &twice)],
    )
    .await;
    assert_eq!(
        (answer.status, answer.member("code")),
        (401, "INTERNAL_AUTH_INVALID".to_owned())
    );
    for headers in [&[][..], &[("x-internal-auth", "")]] {
        let answer = get(server, target, headers).await;
        assert_eq!(
            (answer.status, answer.member("code")),
            (401, "INTERNAL_AUTH_MISSING".to_owned())
        );
    }
}

/// 403 for who is known and may not, with the names of what would do.
pub async fn an_internal_token_says_what_a_caller_may(world: World) {
    let issuer = Issuer::new();
    let (server, target) = (world.start(issuer.guards()).await, "/internal");
    let token = issuer
        .internal(target, |it| it.scope = jwt_auth::Scopes::default())
        .await;
    let answer = get(server, target, &[("x-internal-auth", &token)]).await;
    assert_eq!(
        (answer.status, answer.member("code")),
        (403, "INTERNAL_AUTH_SCOPE_DENIED".to_owned())
    );
    let token = issuer
        .internal(target, |it| it.permissions = vec!["USER".to_owned()])
        .await;
    let answer = get(server, target, &[("x-internal-auth", &token)]).await;
    let read = (answer.status, answer.member("code"), answer.member("error"));
    assert_eq!(
        read,
        (
            403,
            "INTERNAL_AUTH_PERMISSION_DENIED".to_owned(),
            "Forbidden".to_owned()
        )
    );
    assert!(
        answer.member("message").contains("ADMIN, AUDITOR"),
        "{answer:?}"
    );
}

/// What was sent is what counts, whatever a router strips.
pub async fn a_nested_route_has_the_whole_target(world: World) {
    let issuer = Issuer::new();
    let server = world.start(issuer.guards()).await;
    let prover = DpopProver::new(signer(Algorithm::Es256));
    let bound = issuer.access("orders:read", Some(&prover)).await;
    for (target, expected) in [("/nested/internal", 200), ("/internal", 401)] {
        let token = issuer.internal(target, |_| ()).await;
        let answer = get(server, "/nested/internal", &[("x-internal-auth", &token)]).await;
        assert_eq!(answer.status, expected, "{target}: {answer:?}");
    }
    for (target, expected) in [("/nested/access", 200), ("/access", 401)] {
        let proof = proof(&prover, target, &bound, None).await;
        let authorization = format!("DPoP {}", bound.expose());
        let headers = [
            ("authorization", authorization.as_str()),
            ("dpop", proof.as_str()),
        ];
        let answer = get(server, "/nested/access", &headers).await;
        assert_eq!(answer.status, expected, "{target}: {answer:?}");
    }
}

/// The scheme is read in any case (RFC 9110, section 11.1).
pub async fn an_access_token_opens_its_route(world: World) {
    let issuer = Issuer::new();
    let server = world.start(issuer.guards()).await;
    let token = issuer.access("orders:read orders:list", None).await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let authorization = format!("{scheme} {}", token.expose());
        let answer = get(
            server,
            "/access?page=2",
            &[("Authorization", &authorization)],
        )
        .await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "clt_1"),
            "{answer:?}"
        );
    }
}

/// The proof counts once, and a nonce that is asked for comes in the refusal (RFC 9449, sections 9 and 11.1).
pub async fn a_bound_token_comes_with_its_proof(world: World) {
    let issuer = Issuer::asking_for_nonces();
    let server = world.start(issuer.guards()).await;
    let prover = DpopProver::new(signer(Algorithm::EdDsa));
    let token = issuer.access("orders:read", Some(&prover)).await;
    let authorization = format!("DPoP {}", token.expose());
    let send = async |proof: &str| {
        let headers = [("authorization", authorization.as_str()), ("dpop", proof)];
        get(server, "/access", &headers).await
    };
    let asked = send(&proof(&prover, "/access", &token, None).await).await;
    assert_eq!(
        (asked.status, asked.member("error")),
        (401, "use_dpop_nonce".to_owned())
    );
    let nonce = asked.value("dpop-nonce").expect("a nonce");
    let proven = proof(&prover, "/access", &token, Some(nonce)).await;
    let answer = send(&proven).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "clt_1"),
        "{answer:?}"
    );
    let again = send(&proven).await;
    assert_eq!(
        (again.status, again.member("error")),
        (401, "invalid_dpop_proof".to_owned())
    );
    let downgraded = format!("Bearer {}", token.expose());
    let answer = get(server, "/access", &[("authorization", &downgraded)]).await;
    assert_eq!(
        (answer.status, answer.member("error")),
        (401, "invalid_token".to_owned())
    );
}

/// Codes and challenges of RFC 6750, section 3; who sends nothing reads no code in the header.
pub async fn an_access_token_is_refused_with_a_challenge(world: World) {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let server = world.start(issuer.guards()).await;
    let nothing = get(server, "/access", &[]).await;
    let challenge = r#"Bearer, DPoP algs="EdDSA Ed25519 ES256""#;
    assert_eq!(
        (nothing.status, nothing.value("www-authenticate")),
        (401, Some(challenge))
    );
    assert_eq!(nothing.member("error"), "UNAUTHENTICATED");
    let internal = issuer.internal("/access", |_| ()).await;
    let of_another = other.access("orders:read", None).await;
    for token in [internal.as_str(), of_another.expose(), "garbage"] {
        let authorization = format!("Bearer {token}");
        let answer = get(server, "/access", &[("authorization", &authorization)]).await;
        assert_eq!(
            (answer.status, answer.member("error")),
            (401, "invalid_token".to_owned())
        );
        let challenge = answer.value("www-authenticate").expect("a challenge");
        assert!(
            challenge.starts_with(r#"Bearer error="invalid_token""#),
            "{challenge}"
        );
    }
    let token = issuer.access("orders:list", None).await;
    let authorization = format!("Bearer {}", token.expose());
    let answer = get(server, "/access", &[("authorization", &authorization)]).await;
    assert_eq!(
        (answer.status, answer.member("error")),
        (403, "insufficient_scope".to_owned())
    );
    let challenge = answer.value("www-authenticate").expect("a challenge");
    assert!(challenge.ends_with(r#"scope="orders:read""#), "{challenge}");
    let twice = [
        ("authorization", authorization.as_str()),
        ("authorization", authorization.as_str()),
    ];
    let answer = get(server, "/access", &twice).await;
    assert_eq!(
        (answer.status, answer.member("error")),
        (400, "invalid_request".to_owned())
    );
}

/// What a handler refuses looks as what the layer refuses.
pub async fn a_handler_may_ask_for_more(world: World) {
    let issuer = Issuer::new();
    let server = world.start(issuer.guards()).await;
    for (scope, expected) in [("orders:read orders:list", 200), ("orders:read", 403)] {
        let token = issuer.access(scope, None).await;
        let authorization = format!("Bearer {}", token.expose());
        let answer = get(server, "/more", &[("authorization", &authorization)]).await;
        assert_eq!(answer.status, expected, "{scope}: {answer:?}");
        if expected == 403 {
            let challenge = answer.value("www-authenticate").expect("a challenge");
            assert!(challenge.ends_with(r#"scope="orders:list""#), "{challenge}");
        }
    }
}

/// A handler that wants to know who called is not served without a layer.
pub async fn a_forgotten_layer_is_no_open_door(world: World) {
    let issuer = Issuer::new();
    let server = world.start(issuer.guards()).await;
    for target in ["/forgotten/internal", "/forgotten/access"] {
        let token = issuer.internal(target, |_| ()).await;
        let bearer = format!(
            "Bearer {}",
            issuer.access("orders:read", None).await.expose()
        );
        let headers = [
            ("x-internal-auth", token.as_str()),
            ("authorization", bearer.as_str()),
        ];
        let answer = get(server, target, &headers).await;
        assert_eq!(
            (answer.status, answer.member("error")),
            (500, "INTERNAL_ERROR".to_owned())
        );
    }
}

/// Keys that are none of ours: too short, too long, off their curve, of another type.
fn strange_keys() -> Vec<Value> {
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let okp = |x: &[u8]| json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(x) });
    let ec = |x: &[u8], y: &[u8]| json!({ "kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y) });
    vec![
        okp(&[1]),
        okp(&[1; 31]),
        okp(&[1; 33]),
        okp(&[]),
        okp(&[0; 32]),
        okp(&[255; 32]),
        ec(&[1], &[1]),
        ec(&[1; 33], &[1; 32]),
        ec(&[1; 32], &[1; 32]),
        ec(&[0; 32], &[0; 32]),
        ec(&[255; 32], &[255; 32]),
        json!({ "kty": "oct", "k": "AA" }),
        json!({ "kty": "RSA", "n": "AQ", "e": "AQAB" }),
        json!({}),
        json!([]),
    ]
}

/// Keys of any length and algorithms of any name are the caller's fault.
pub async fn no_key_is_a_fault_of_the_server(world: World) {
    let issuer = Issuer::new();
    let server = world.start(issuer.guards()).await;
    let prover = DpopProver::new(signer(Algorithm::Es256));
    let token = issuer.access("orders:read", Some(&prover)).await;
    let authorization = format!("DPoP {}", token.expose());
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let algorithms = [
        "none", "HS256", "RS256", "EdDSA", "Ed25519", "ES256", "ES384", "",
    ];
    for (key, alg) in strange_keys()
        .iter()
        .flat_map(|key| algorithms.map(|alg| (key, alg)))
    {
        let header = json!({ "typ": "dpop+jwt", "alg": alg, "jwk": key });
        let claims =
            json!({ "htm": "GET", "htu": "https://orders.example/access", "iat": 1, "jti": "j" });
        let part = |it: &Value| b64(it.to_string().as_bytes());
        let proof = format!("{}.{}.{}", part(&header), part(&claims), b64(&[0; 64]));
        let headers = [
            ("authorization", authorization.as_str()),
            ("dpop", proof.as_str()),
        ];
        let answer = get(server, "/access", &headers).await;
        assert_eq!(
            (answer.status, answer.member("error")),
            (401, "invalid_dpop_proof".to_owned()),
            "{key} {alg}"
        );
    }
}

/// Bytes that are no text, and texts that are no credentials.
pub async fn no_header_is_a_fault_of_the_server(world: World) {
    let issuer = Issuer::new();
    let server = world.start(issuer.guards()).await;
    for name in ["authorization", "x-internal-auth", "dpop"] {
        for value in [
            &b"\xff\xfe"[..],
            b"Bearer \xc3\xa4",
            b"DPoP \x80",
            b"Bearer",
            b"Bearer  a b",
            b".",
        ] {
            for target in ["/access", "/internal"] {
                let mut head = format!("GET {target} HTTP/1.1\r\n{name}: ").into_bytes();
                head.extend([value, b"\r\n"].concat());
                let answer = call(server, head).await;
                assert!(
                    (400..500).contains(&answer.status),
                    "{target} {name} {value:?}: {answer:?}"
                );
            }
        }
    }
}

/// 503, without a word of what the store said and without a challenge: another token would not help.
pub async fn a_store_that_is_away_accepts_nobody(world: World) {
    let issuer = Issuer::with_the_store_away();
    let server = world.start(issuer.guards()).await;
    let prover = DpopProver::new(signer(Algorithm::Es256));
    let bound = issuer.access("orders:read", Some(&prover)).await;
    let proof = proof(&prover, "/access", &bound, None).await;
    let authorization = format!("DPoP {}", bound.expose());
    let headers = [
        ("authorization", authorization.as_str()),
        ("dpop", proof.as_str()),
    ];
    let access = get(server, "/access", &headers).await;
    let internal = issuer.internal("/internal", |_| ()).await;
    let internal = get(server, "/internal", &[("x-internal-auth", &internal)]).await;
    for answer in [access, internal] {
        assert_eq!(
            (answer.status, answer.value("www-authenticate")),
            (503, None),
            "{answer:?}"
        );
        assert!(!answer.body.contains("password"), "{answer:?}");
    }
}
