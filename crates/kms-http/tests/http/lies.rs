//! A remote service that lies is found out, by a named error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use auth_testkit::key_management::kid;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::any;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_auth::{Algorithm, MemorySigner, PrivateKey, Signer as _};
use kms::{
    KeyManagement as _, KmsError, MemoryKeyRingStore, Providers, RingKeeper, RingName, RingPolicy,
};
use serde_json::{Value, json};

use crate::servers::{chain, http, provider, raw_http, serve};

/// What the service says to everything but a signature.
#[derive(Clone)]
struct Lie {
    made: Value,
    signature: Value,
    asked: Arc<AtomicU32>,
}

async fn lying(made: Value, signature: Value) -> (String, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let lie = Lie {
        made,
        signature,
        asked: Arc::clone(&asked),
    };
    let router = Router::new()
        .route("/keys", any(async |State(lie): State<Lie>| Json(lie.made)))
        .route("/keys/{kid}/{action}", any(sign_or_import))
        .route(
            "/keys/{kid}",
            any(async |State(lie): State<Lie>| Json(lie.made)),
        )
        .with_state(lie);
    (serve(router).await, asked)
}

async fn sign_or_import(
    State(lie): State<Lie>,
    Path((_, action)): Path<(String, String)>,
) -> Json<Value> {
    lie.asked.fetch_add(1, Ordering::SeqCst);
    Json(match action.as_str() {
        "sign" => json!({ "signature": lie.signature }),
        _ => lie.made,
    })
}

fn key(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::generate(algorithm)
        .unwrap()
        .with_kid("first")
        .unwrap()
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    json!({ "publicJwk": jwk })
}

#[tokio::test]
async fn a_public_key_that_is_none_is_refused() {
    let jwk = || key(Algorithm::Es256).public().to_json();
    let short = URL_SAFE_NO_PAD.encode([1; 31]);
    let cases = [
        (
            with(jwk(), "d", "AAAA".into()),
            "the provider returned no public key: the key carries the private member d",
        ),
        (
            with(jwk(), "crv", "P-384".into()),
            "the provider returned no public key: crv is not P-256 with EC, or Ed25519 with OKP",
        ),
        (
            with(jwk(), "kty", "RSA".into()),
            "the provider returned no public key: kty is neither EC nor OKP",
        ),
        (
            with(jwk(), "x", short.into()),
            "the provider returned no public key: the coordinate x is not the base64url of 32 bytes",
        ),
        (
            with(jwk(), "y", URL_SAFE_NO_PAD.encode([1; 32]).into()),
            "the provider returned no public key: the point is not on the curve",
        ),
        (
            with(jwk(), "alg", "HS256".into()),
            "the provider returned no public key: alg is not that of the key",
        ),
        (
            with(jwk(), "kid", "other".into()),
            "the provider returned a key of another name than first",
        ),
        (
            json!({}),
            "HttpKmsAdapter[remote]: remote service returned no publicJwk",
        ),
        (
            json!({ "publicJwk": null }),
            "HttpKmsAdapter[remote]: remote service returned no publicJwk",
        ),
        (
            json!([]),
            "HttpKmsAdapter[remote]: remote service returned no publicJwk",
        ),
        (
            json!({ "publicJwk": key(Algorithm::EdDsa).public() }),
            "the provider returned a key that is not for ES256",
        ),
    ];
    for (made, told) in cases {
        let (address, _) = lying(made, Value::Null).await;
        let kms = http(&address, &json!({ "type": "none" }));
        let refused = kms
            .generate(&kid("first"), Algorithm::Es256)
            .await
            .unwrap_err();
        assert_eq!(chain(&refused), told);
        let imported = kms.import(&kid("first"), &key(Algorithm::Es256)).await;
        assert!(imported.is_err(), "another key than the imported one");
        // Nothing of it is kept: signing asks for the public key again, and refuses it again.
        let refused = kms.sign(&kid("first"), Algorithm::Es256, b"input").await;
        assert!(refused.is_err());
    }
}

#[tokio::test]
async fn a_signature_that_is_none_is_refused() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let own = key(algorithm);
        let other = MemorySigner::new(&key(algorithm)).unwrap();
        let of_another = other.sign(b"input").await.unwrap();
        let right = MemorySigner::new(&own)
            .unwrap()
            .sign(b"input")
            .await
            .unwrap();
        let encoded = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
        let cases = [
            (
                encoded(&right[..63]),
                "the provider returned a signature of 63 bytes, not 64",
            ),
            (
                encoded(&[&right[..], &[0]].concat()),
                "the provider returned a signature of 65 bytes, not 64",
            ),
            (
                encoded(&of_another),
                "the provider returned a signature that is not of the key first",
            ),
            (
                encoded(&[0; 64]),
                "the provider returned a signature that is not of the key first",
            ),
            (
                "".into(),
                "HttpKmsAdapter[remote]: remote service returned empty signature",
            ),
            (
                Value::Null,
                "HttpKmsAdapter[remote]: remote service returned empty signature",
            ),
            (
                7.into(),
                "HttpKmsAdapter[remote]: remote service returned empty signature",
            ),
        ];
        for (signature, told) in cases {
            let (address, _) = lying(json!({ "publicJwk": own.public() }), signature).await;
            let kms = http(&address, &json!({ "type": "none" }));
            let refused = kms
                .sign(&kid("first"), algorithm, b"input")
                .await
                .unwrap_err();
            assert_eq!(chain(&refused), told);
        }
        let (address, asked) = lying(json!({ "publicJwk": own.public() }), encoded(&right)).await;
        let kms = http(&address, &json!({ "type": "none" }));
        assert_eq!(
            kms.sign(&kid("first"), algorithm, b"input").await.unwrap(),
            right
        );
        // The key has one algorithm, whatever is asked for: the service is not even asked.
        let wrong = match algorithm {
            Algorithm::EdDsa => Algorithm::Es256,
            _ => Algorithm::EdDsa,
        };
        let refused = kms.sign(&kid("first"), wrong, b"input").await.unwrap_err();
        assert!(
            matches!(refused, KmsError::AlgorithmOfKey { .. }),
            "{refused:?}"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_ring_takes_nothing_from_a_service_that_lies() {
    let lies = with(key(Algorithm::EdDsa).public().to_json(), "d", "AAAA".into());
    let (address, _) = lying(lies, Value::Null).await;
    let kms = http(&address, &json!({ "type": "none" }));
    let (store, name) = (
        MemoryKeyRingStore::new(),
        RingName::parse("access").unwrap(),
    );
    let providers = Providers::of("remote", Arc::new(kms));
    let keeper = RingKeeper::new(name, Arc::new(store), providers, RingPolicy::default());
    assert!(keeper.tick().await.is_err());
    assert!(keeper.jwks().await.unwrap().keys.keys().is_empty());
    assert!(keeper.ring().await.unwrap().keys().is_empty());
    assert!(keeper.signer().await.is_err());
}

/// Answers everything with one status and body.
async fn answering(status: u16, body: &'static str) -> (String, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let router = Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async move { (StatusCode::from_u16(status).unwrap(), body) }
    });
    (serve(router).await, asked)
}

#[tokio::test]
async fn only_ok_true_is_well() {
    for (status, body, told) in [
        (
            200,
            r#"{"ok":false}"#,
            "the provider says that it is not well",
        ),
        (
            200,
            r#"{"ok":"true"}"#,
            "the provider says that it is not well",
        ),
        (200, "{}", "the provider says that it is not well"),
        (200, "OK", "the provider says that it is not well"),
        (
            500,
            r#"{"ok":true}"#,
            "HttpKmsAdapter[remote]: remote service answered its health with 500",
        ),
        (
            401,
            r#"{"ok":true}"#,
            "HttpKmsAdapter[remote]: remote service answered its health with a refusal",
        ),
    ] {
        let (address, _) = answering(status, body).await;
        let kms = http(&address, &json!({ "type": "none" }));
        assert_eq!(kms.health().await.unwrap_err().to_string(), told);
    }
    let (address, _) = answering(200, r#"{"ok":true,"keyCount":3,"more":1}"#).await;
    let kms = http(&address, &json!({ "type": "none" }));
    assert_eq!(kms.health().await.unwrap().key_count, Some(3));
}

#[tokio::test]
async fn a_delete_that_failed_is_an_error_and_an_absent_key_is_none() {
    for (status, body, is_done) in [
        (204, "", true),
        (404, r#"{"error":"Key not found: first"}"#, true),
        (404, "", false),
        (500, r#"{"error":"disk full"}"#, false),
        (403, "", false),
        (302, "", false),
    ] {
        let (address, _) = answering(status, body).await;
        let kms = http(&address, &json!({ "type": "none" }));
        let deleted = kms.delete(&kid("first")).await;
        assert_eq!(deleted.is_ok(), is_done, "{status} {deleted:?}");
    }
    let (address, _) = answering(500, r#"{"error":"disk\n full"}"#).await;
    let kms = http(&address, &json!({ "type": "none" }));
    assert_eq!(
        kms.delete(&kid("first")).await.unwrap_err().to_string(),
        "HttpKmsAdapter[remote]: remote service answered 500 disk full"
    );
}

#[tokio::test]
async fn import_may_be_missing() {
    for status in [404, 405] {
        let (address, _) = answering(status, "").await;
        let kms = http(&address, &json!({ "type": "none" }));
        let refused = kms
            .import(&kid("first"), &key(Algorithm::EdDsa))
            .await
            .unwrap_err();
        assert!(
            matches!(refused, KmsError::Unsupported("import")),
            "{refused:?}"
        );
    }
    for status in [400, 500] {
        let body = r#"{"error":"Invalid privateJwk: d is s3cret"}"#;
        let (address, _) = answering(status, body).await;
        let kms = http(&address, &json!({ "type": "none" }));
        let key = key(Algorithm::EdDsa);
        let refused = kms.import(&kid("first"), &key).await.unwrap_err();
        let told = format!("HttpKmsAdapter[remote]: remote service answered {status}");
        assert_eq!(chain(&refused), told);
    }
}

#[tokio::test]
async fn a_credential_that_comes_back_is_not_repeated() {
    let body = r#"{"error":"token t0ken-of-ours is not known","errors":["t0ken-of-ours"]}"#;
    let (address, _) = answering(400, body).await;
    let bearer = http(
        &address,
        &json!({ "type": "bearer", "token": "t0ken-of-ours" }),
    );
    let transit = provider(
        &json!({ "id": "remote", "type": "vault-transit", "baseUrl": address,
        "token": "t0ken-of-ours" }),
    );
    for kms in [bearer, transit] {
        let refused = kms.generate(&kid("first"), Algorithm::EdDsa).await;
        let told = chain(&refused.unwrap_err());
        assert!(told.contains("400") && !told.contains("t0ken"), "{told}");
    }
}

#[tokio::test]
async fn one_more_attempt_where_the_service_could_not_answer() {
    for (status, asked_for) in [(502, 2), (503, 2), (504, 2), (500, 1), (429, 1), (400, 1)] {
        let (address, asked) = answering(status, "").await;
        let kms = http(&address, &json!({ "type": "none" }));
        let failed = kms
            .generate(&kid("first"), Algorithm::EdDsa)
            .await
            .unwrap_err();
        assert_eq!(asked.load(Ordering::SeqCst), asked_for, "{status}");
        assert_eq!(failed.is_temporary(), status != 400, "{failed:?}");
    }
    let nobody = http("http://127.0.0.1:1", &json!({ "type": "none" }));
    let failed = nobody
        .generate(&kid("first"), Algorithm::EdDsa)
        .await
        .unwrap_err();
    assert!(failed.is_temporary(), "{failed:?}");
    assert!(!chain(&failed).contains("first"), "no URL in errors");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let followed = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&followed);
    let elsewhere = move |method: Method| {
        count.fetch_add(1, Ordering::SeqCst);
        async move { method.to_string() }
    };
    let router = Router::new()
        .route("/elsewhere", any(elsewhere))
        .fallback(async || -> Response { Redirect::temporary("/elsewhere").into_response() });
    let kms = http(
        &serve(router).await,
        &json!({ "type": "bearer", "token": "t0ken" }),
    );
    let refused = kms
        .generate(&kid("first"), Algorithm::EdDsa)
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "HttpKmsAdapter[remote]: remote service answered 307"
    );
    assert!(kms.delete(&kid("first")).await.is_err());
    assert_eq!(followed.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let router = Router::new().fallback(async || format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20)));
    let kms = http(&serve(router).await, &json!({ "type": "none" }));
    let refused = kms
        .generate(&kid("first"), Algorithm::EdDsa)
        .await
        .unwrap_err();
    assert!(matches!(refused, KmsError::Answer(_)), "{refused:?}");
}

/// The client's own limit, without the one of the checks around it.
#[tokio::test]
async fn a_slow_service_is_not_waited_for() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let router = Router::new()
        .route("/health", any(async || Json(json!({ "ok": true }))))
        .fallback(move || {
            count.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<String>()
        });
    let kms = raw_http(&serve(router).await);
    // With a connection that stands, nothing but the limit of the call can end it, and the clock may jump.
    kms.health().await.unwrap();
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let failed = kms
        .sign(&kid("first"), Algorithm::EdDsa, b"input")
        .await
        .unwrap_err();
    assert!(failed.is_temporary());
    assert_eq!(
        chain(&failed),
        "HttpKmsAdapter[remote]: remote service did not answer: the provider did not answer within 10s"
    );
    assert_eq!(began.elapsed().as_secs(), 10);
    assert!(asked.load(Ordering::SeqCst) <= 1, "it is asked once");
}

/// A proxy, or a wrong address, answers 404 as well: that says nothing about a key.
#[tokio::test]
async fn a_404_that_is_not_of_the_contract_says_nothing_about_a_key() {
    let bodies = [
        "",
        "<html>Not Found</html>",
        r#"{"error":"Not Found"}"#,
        r#"{"errors":["no route"]}"#,
        r#""Key not found: first""#,
        r#"["Key not found: first"]"#,
    ];
    for body in bodies {
        let (address, _) = answering(404, body).await;
        let kms = http(&address, &json!({ "type": "none" }));
        let ours = key(Algorithm::EdDsa);
        kms.pin(&kid("first"), ours.public()).unwrap();
        let refused = kms.sign(&kid("first"), Algorithm::EdDsa, b"input").await;
        assert!(matches!(refused, Err(KmsError::Refused(_))), "{refused:?}");
        let refused = kms.delete(&kid("first")).await;
        assert!(matches!(refused, Err(KmsError::Refused(_))), "{refused:?}");
        assert!(kms.public_key(&kid("first")).await.is_err());
    }
    let (address, _) = answering(404, r#"{"error":"Key not found: first"}"#).await;
    let kms = http(&address, &json!({ "type": "none" }));
    let ours = key(Algorithm::EdDsa);
    kms.pin(&kid("first"), ours.public()).unwrap();
    let refused = kms.sign(&kid("first"), Algorithm::EdDsa, b"input").await;
    assert!(
        matches!(refused, Err(KmsError::KeyNotFound(_))),
        "{refused:?}"
    );
    kms.delete(&kid("first")).await.unwrap();
}
