//! A provider of keys that lies about all of them but one. It takes tokens that it gives away itself.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_auth::{Algorithm, MemorySigner, PrivateKey, Signer as _};
use serde_json::{Value, json};

/// What clients know, and what they get for it.
pub(super) const CLIENT_SECRET: &str = "client-secret-of-the-liar-0123456789";
pub(super) const TOKEN: &str = "access-token-of-the-liar-0123456789";

/// The provider, and what is seen of it.
pub(super) struct Liar {
    pub(super) address: String,
    /// How many tokens it has given away.
    pub(super) tokens: Arc<AtomicU32>,
    /// What it says of its health.
    pub(super) is_well: Arc<AtomicBool>,
    /// No token is taken.
    pub(super) is_closed: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Server {
    key: Arc<PrivateKey>,
    other: Arc<PrivateKey>,
    tokens: Arc<AtomicU32>,
    is_well: Arc<AtomicBool>,
    is_closed: Arc<AtomicBool>,
}

impl Liar {
    pub(super) async fn start() -> Self {
        let make = || Arc::new(PrivateKey::generate(Algorithm::EdDsa).expect("a key"));
        let server = Server {
            key: make(),
            other: make(),
            tokens: Arc::default(),
            is_well: Arc::new(AtomicBool::new(true)),
            is_closed: Arc::default(),
        };
        let keys = Router::new()
            .route("/keys", post(create))
            .route(
                "/keys/{kid}",
                get(show).delete(async || StatusCode::INTERNAL_SERVER_ERROR),
            )
            .route("/keys/{kid}/sign", post(sign))
            .layer(from_fn_with_state(server.clone(), admitted));
        let router = keys
            .route("/token", post(token))
            .route("/health", get(health))
            .with_state(server.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(axum_serve::serve(listener, router, pending::<()>()));
        Self {
            address,
            tokens: server.tokens,
            is_well: server.is_well,
            is_closed: server.is_closed,
        }
    }
}

async fn token(State(server): State<Server>, form: String) -> Response {
    assert!(form.contains(CLIENT_SECRET), "another client");
    server.tokens.fetch_add(1, Ordering::SeqCst);
    Json(json!({ "access_token": TOKEN, "token_type": "Bearer", "expires_in": 300 }))
        .into_response()
}

async fn admitted(State(server): State<Server>, request: Request, next: Next) -> Response {
    let shown = request.headers().get("authorization");
    let is_good = shown.is_some_and(|it| it.as_bytes() == format!("Bearer {TOKEN}").as_bytes());
    match is_good && !server.is_closed.load(Ordering::SeqCst) {
        true => next.run(request).await,
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn named(key: &PrivateKey, kid: &str) -> Value {
    let named = PrivateKey::from_jwk(key.expose_jwk().expose().as_bytes());
    let named = named.expect("a key").with_kid(kid).expect("a name");
    json!(named.public())
}

async fn create(State(server): State<Server>, body: String) -> Json<Value> {
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let kid = body["kid"].as_str().expect("a name");
    Json(json!({ "publicJwk": match kid {
        "private" => private(&server, kid),
        "curve" => named(&PrivateKey::generate(Algorithm::Es256).expect("a key"), kid),
        _ => named(&server.key, "another"),
    } }))
}

/// A key with everything.
fn private(server: &Server, kid: &str) -> Value {
    let mut key: Value = serde_json::from_str(server.key.expose_jwk().expose()).expect("JSON");
    key["kid"] = kid.into();
    key
}

async fn show(State(server): State<Server>, Path(kid): Path<String>) -> Json<Value> {
    Json(json!({ "publicJwk": match kid.as_str() {
        "private" => private(&server, &kid),
        _ => named(&server.key, &kid),
    } }))
}

async fn sign(State(server): State<Server>, Path(kid): Path<String>) -> Json<Value> {
    let key = match kid.as_str() {
        "wrong" => &server.other,
        _ => &server.key,
    };
    let signer = MemorySigner::new(key).expect("a signer");
    let signature = signer.sign(b"input").await.expect("a signature");
    let length = if kid == "short" { 63 } else { 64 };
    Json(json!({ "signature": URL_SAFE_NO_PAD.encode(&signature[..length]) }))
}

async fn health(State(server): State<Server>) -> Json<Value> {
    Json(json!({ "ok": server.is_well.load(Ordering::SeqCst) }))
}
