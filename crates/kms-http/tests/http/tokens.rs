//! Tokens that are fetched: one request for a hundred cold signatures, one more after a 401.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use auth_base::ManualClock;
use auth_testkit::key_management::kid;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_auth::{Algorithm, MemorySigner, PrivateKey, Signer as _};
use kms::{CheckedKeyManagement, KeyManagement as _, KmsError};
use serde_json::{Value, json};

use crate::servers::{chain, http_by, serve};

/// A key server and its token endpoint.
#[derive(Clone)]
struct Service {
    signer: MemorySigner,
    tokens: Arc<AtomicU32>,
    refused: Arc<AtomicU32>,
    /// Tokens up to this number are no longer taken.
    revoked: Arc<AtomicU32>,
    is_closed: Arc<AtomicBool>,
}

impl Service {
    async fn start() -> (Self, CheckedKeyManagement, Arc<ManualClock>) {
        let key = PrivateKey::generate(Algorithm::EdDsa)
            .unwrap()
            .with_kid("first")
            .unwrap();
        let service = Self {
            signer: MemorySigner::new(&key).unwrap(),
            tokens: Arc::default(),
            refused: Arc::default(),
            revoked: Arc::default(),
            is_closed: Arc::default(),
        };
        let router = Router::new()
            .route("/token", post(token))
            .route("/keys/first", get(show))
            .route("/keys/first/sign", post(sign))
            .with_state(service.clone());
        let address = serve(router).await;
        let auth = json!({ "type": "oauth2-client-credentials", "tokenUrl": format!("{address}/token"),
            "clientId": "clt_1", "clientSecret": "s3cret", "scope": "kms:sign" });
        let clock = Arc::new(ManualClock::new(1_000_000));
        (service, http_by(&address, &auth, clock.clone()), clock)
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let token = headers.get("authorization").and_then(|it| it.to_str().ok());
        let number = token.and_then(|it| it.strip_prefix("Bearer token-")?.parse::<u32>().ok());
        let is_admitted = number.is_some_and(|it| it > self.revoked.load(Ordering::SeqCst));
        if !is_admitted {
            self.refused.fetch_add(1, Ordering::SeqCst);
        }
        is_admitted
    }
}

async fn token(State(service): State<Service>, form: String) -> Response {
    if service.is_closed.load(Ordering::SeqCst) {
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({ "error": "invalid_client" })),
        )
            .into_response();
    }
    assert_eq!(
        form,
        "grant_type=client_credentials&client_id=clt_1&client_secret=s3cret&scope=kms%3Asign"
    );
    let number = service.tokens.fetch_add(1, Ordering::SeqCst) + 1;
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    let answer = json!({ "access_token": format!("token-{number}"), "token_type": "Bearer", "expires_in": 300 });
    Json(answer).into_response()
}

async fn show(State(service): State<Service>, headers: HeaderMap) -> Response {
    match service.admits(&headers) {
        true => Json(json!({ "publicJwk": service.signer.key() })).into_response(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn sign(
    State(service): State<Service>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if !service.admits(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let data = STANDARD.decode(body["data"].as_str().unwrap()).unwrap();
    let signature = URL_SAFE_NO_PAD.encode(service.signer.sign(&data).await.unwrap());
    Json(json!({ "signature": signature })).into_response()
}

async fn sign_by_many(kms: &CheckedKeyManagement) {
    let callers = (0..100_u8).map(|caller| {
        let kms = kms.clone();
        tokio::spawn(async move {
            kms.sign(&kid("first"), Algorithm::EdDsa, &[caller])
                .await
                .map(drop)
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_cold_signatures_fetch_one_token() {
    let (service, kms, _) = Service::start().await;
    sign_by_many(&kms).await;
    assert_eq!(service.tokens.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_fetched_again_once() {
    let (service, kms, clock) = Service::start().await;
    sign_by_many(&kms).await;
    clock.advance(10_000);
    service.revoked.store(1, Ordering::SeqCst);
    sign_by_many(&kms).await;
    assert_eq!(service.tokens.load(Ordering::SeqCst), 2);
    // A service that takes no token at all is asked twice, and no more.
    clock.advance(10_000);
    service.revoked.store(u32::MAX, Ordering::SeqCst);
    service.refused.store(0, Ordering::SeqCst);
    let refused = kms
        .sign(&kid("first"), Algorithm::EdDsa, b"input")
        .await
        .unwrap_err();
    assert!(matches!(refused, KmsError::Denied(_)), "{refused:?}");
    assert_eq!(service.refused.load(Ordering::SeqCst), 2);
    assert_eq!(service.tokens.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_refuses_every_token_causes_no_request_with_every_call() {
    let (service, kms, clock) = Service::start().await;
    service.revoked.store(u32::MAX, Ordering::SeqCst);
    for tokens in 1..=3 {
        for _ in 0..20 {
            let refused = kms.sign(&kid("first"), Algorithm::EdDsa, b"input").await;
            assert!(matches!(refused, Err(KmsError::Denied(_))), "{refused:?}");
        }
        assert_eq!(service.tokens.load(Ordering::SeqCst), tokens);
        clock.advance(10_000);
    }
    // A young one is not shown again either: one call is one request, two where the token was replaced.
    assert_eq!(service.refused.load(Ordering::SeqCst), 62);
}

#[tokio::test]
async fn without_a_token_nothing_is_signed() {
    let (service, kms, _) = Service::start().await;
    service.is_closed.store(true, Ordering::SeqCst);
    let refused = kms
        .sign(&kid("first"), Algorithm::EdDsa, b"input")
        .await
        .unwrap_err();
    assert_eq!(
        chain(&refused),
        "HttpKmsAdapter[remote]: no access token: Token request failed (401 invalid_client)."
    );
    assert_eq!(service.refused.load(Ordering::SeqCst), 0);
    assert!(!format!("{kms:?} {refused:?}").contains("s3cret"));
}
