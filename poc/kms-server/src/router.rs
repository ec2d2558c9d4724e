//! The routes of the contract.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_auth::PublicJwk;
use kms::{CheckedKeyManagement, KeyId, KeyManagement as _, KmsError};
use serde_json::json;
use zeroize::Zeroizing;

use crate::admission::{Admits, Caller, ToAdmin, ToShow, ToSign, ToWrap};
use crate::answer::Refusal;
use crate::body::{self, Use};
use crate::credentials::Credentials;
use crate::health;

/// A body may have so many bytes: the largest input in base64, and what stands around it.
const MAX_BODY_BYTES: usize = 128 * 1024;

/// A request is read and answered in this time.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

struct Server {
    keys: CheckedKeyManagement,
    credentials: Credentials,
}

impl Admits for Server {
    fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}

type Shared = State<Arc<Server>>;

/// What stands in the path. It may be no text.
type Name = Result<Path<String>, PathRejection>;

/// The routes over `keys` of `provider`, which is named where it is not well, for the callers of `credentials`.
pub fn router(provider: &str, keys: CheckedKeyManagement, credentials: Credentials) -> Router {
    let health = health::routes(provider, keys.clone());
    let server = Server { keys, credentials };
    Router::new()
        .route("/keys", post(generate))
        .route("/keys/{kid}", get(show).delete(forget))
        .route("/keys/{kid}/sign", post(sign))
        .route("/keys/{kid}/wrap", post(wrap))
        .route("/keys/{kid}/unwrap", post(unwrap))
        .route("/keys/{kid}/import", post(import))
        .merge(health)
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "Not Found"))
        .method_not_allowed_fallback(async || {
            (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(within_the_limit))
        .with_state(Arc::new(server))
}

/// Who sends his body byte by byte does not keep us.
async fn within_the_limit(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(REQUEST_LIMIT, next.run(request)).await;
    answer.unwrap_or_else(|_| {
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "Request Timeout").into_response()
    })
}

async fn generate(
    caller: Caller<ToAdmin>,
    State(server): Shared,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let (kid, purpose) = body::generate(&whole(body)?)?;
    match purpose {
        Use::Signing(algorithm) => {
            let key = server.keys.generate(&kid, algorithm).await?;
            tracing::info!(%caller, kid = kid.as_str(), %algorithm, "a key was made");
            Ok(public(&key))
        }
        Use::Wrapping => {
            server.keys.generate_wrapping(&kid).await?;
            tracing::info!(%caller, kid = kid.as_str(), "a key that wraps was made");
            Ok(fresh(Json(json!({})).into_response()))
        }
    }
}

async fn show(
    _caller: Caller<ToShow>,
    State(server): Shared,
    kid: Name,
) -> Result<Response, Refusal> {
    let kid = named(kid)?;
    let key = server.keys.public_key(&kid).await?;
    let key = key.ok_or(KmsError::KeyNotFound(kid))?;
    Ok(public(&key))
}

async fn sign(
    _caller: Caller<ToSign>,
    State(server): Shared,
    kid: Name,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let kid = named(kid)?;
    let (data, algorithm) = body::sign(&whole(body)?)?;
    let signature = server.keys.sign(&kid, algorithm, &data).await?;
    let signature = URL_SAFE_NO_PAD.encode(signature);
    Ok(fresh(
        Json(json!({ "signature": signature })).into_response(),
    ))
}

async fn wrap(
    caller: Caller<ToWrap>,
    State(server): Shared,
    kid: Name,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let kid = named(kid)?;
    let plain = body::wrap(&whole(body)?)?;
    let wrapped = server.keys.wrap(&kid, &plain).await?;
    tracing::info!(%caller, kid = kid.as_str(), "a key was wrapped");
    Ok(fresh(Json(json!({ "wrapped": wrapped })).into_response()))
}

async fn unwrap(
    caller: Caller<ToWrap>,
    State(server): Shared,
    kid: Name,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let kid = named(kid)?;
    let wrapped = body::unwrap(&whole(body)?)?;
    let plain = server.keys.unwrap(&kid, &wrapped).await?;
    tracing::info!(%caller, kid = kid.as_str(), "a key was unwrapped");
    Ok(unwrapped(&plain))
}

/// Put together by hand, and wiped when it was sent: a `Value` would leave the key behind in memory.
fn unwrapped(plain: &[u8]) -> Response {
    let data = Zeroizing::new(STANDARD.encode(plain));
    let mut body = Zeroizing::new(String::with_capacity(16 + data.len()));
    for part in [r#"{"data":""#, &data, r#""}"#] {
        body.push_str(part);
    }
    let json = HeaderValue::from_static("application/json");
    let body = Body::from(Bytes::from_owner(body));
    fresh(([(CONTENT_TYPE, json)], body).into_response())
}

async fn import(
    caller: Caller<ToAdmin>,
    State(server): Shared,
    kid: Name,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let kid = read(kid).ok_or_else(|| Refusal::bad_request("kid is required"))?;
    let key = body::import(&whole(body)?)?;
    let key = server.keys.import(&kid, &key).await?;
    tracing::info!(%caller, kid = kid.as_str(), "a key was imported");
    Ok(public(&key))
}

async fn forget(
    caller: Caller<ToAdmin>,
    State(server): Shared,
    kid: Name,
) -> Result<StatusCode, Refusal> {
    // What no key can be called is not there.
    if let Some(kid) = read(kid) {
        server.keys.delete(&kid).await?;
        tracing::info!(%caller, kid = kid.as_str(), "a key was deleted");
    }
    Ok(StatusCode::NO_CONTENT)
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large")
        }
        _ => Refusal::bad_request("Invalid JSON"),
    })
}

/// What no key can be called is not found.
fn named(kid: Name) -> Result<KeyId, Refusal> {
    read(kid).ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "Key not found"))
}

fn read(kid: Name) -> Option<KeyId> {
    let Path(kid) = kid.ok()?;
    KeyId::parse(&kid).ok()
}

fn public(key: &PublicJwk) -> Response {
    fresh(Json(json!({ "publicJwk": key })).into_response())
}

fn fresh(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}
