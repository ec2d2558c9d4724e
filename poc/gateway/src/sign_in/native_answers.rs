//! Answers as clients of the original read them.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::sign_in::sessions::AnswerHeaders;

/// 429: too many attempts.
pub(super) fn too_many() -> Response {
    said(429, "Too many attempts, please try again later.")
}

/// 200 without a body.
pub(super) fn empty(answer: AnswerHeaders) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in answer {
        headers.append(name, value);
    }
    response
}

/// 503: nothing is decided.
pub(super) fn unavailable() -> Response {
    let mut response = said(503, "Authentication is not available now");
    let soon = HeaderValue::from_static("1");
    response.headers_mut().insert(RETRY_AFTER, soon);
    response
}

/// What the original says of a mistake.
pub(super) fn said(status: u16, text: &str) -> Response {
    let mut response = Json(json!({ "error": text })).into_response();
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}
