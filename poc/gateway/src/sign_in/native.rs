//! The routes that clients of the original know, with the answers that they read.

use std::sync::LazyLock;
use std::time::Instant;

use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use auth_base::clock::{Clock, SystemClock};

use crate::proxy::Arrival;
use crate::sign_in::accounts::AccountsError;
use crate::sign_in::front_door::{Shared, seen};
use crate::sign_in::native_answers::{empty, said, too_many, unavailable};

/// When the gateway was asked first.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// POST `/api/v1/auth/login`.
pub(super) async fn login(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let (email, password) = (text("email"), Zeroizing::new(text("password").to_owned()));
    if email.is_empty() || password.is_empty() {
        return said(400, "Missing credentials");
    }
    let is_remembered = body.get("remember") == Some(&Value::Bool(true));
    let began = door
        .by_password(email, &password, is_remembered, true, &arrival, &headers)
        .await;
    match began {
        Ok(answer) => empty(answer),
        Err(AccountsError::Unavailable) => unavailable(),
        Err(AccountsError::Refused {
            status: 429,
            retry_after,
            ..
        }) => {
            let mut response = too_many();
            let seconds = HeaderValue::from(retry_after.unwrap_or(60));
            response.headers_mut().insert(RETRY_AFTER, seconds);
            response
        }
        Err(AccountsError::Refused { .. }) => said(401, "Invalid email or password"),
    }
}

/// POST `/api/v1/auth/logout`.
pub(super) async fn logout(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
) -> Response {
    match door.sessions.sign_out(seen(&headers, &arrival)).await {
        (true, cleared) => empty(cleared),
        (false, cleared) => {
            let mut response = said(500, "The session could not be revoked");
            for (name, value) in cleared {
                response.headers_mut().append(name, value);
            }
            response
        }
    }
}

/// GET `/api/v1/health`.
pub(super) async fn health() -> Response {
    let now = SystemClock.now_ms();
    let uptime = STARTED.elapsed().as_secs();
    let health =
        json!({ "health": "ok", "service": "gateway", "timestamp": now, "uptime": uptime });
    Json(health).into_response()
}

/// GET `/api/v1/health/secure`.
pub(super) async fn secure_health() -> Response {
    Json(json!({ "health": "ok", "service": "gateway" })).into_response()
}
