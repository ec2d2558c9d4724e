//! Answers of the contract: what went wrong, as a status and a text.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use kms::KmsError;
use serde_json::json;

use crate::credentials::Rejection;

/// What a caller reads instead of an answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { status, text }
    }

    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.text }))).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Unauthorized => Self::new(StatusCode::UNAUTHORIZED, "Unauthorized"),
            Rejection::Forbidden => Self::new(StatusCode::FORBIDDEN, "Forbidden"),
            Rejection::TooMany | Rejection::TooManyStrangers => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests")
            }
        }
    }
}

/// The log reads what lies below; the caller does not.
impl From<KmsError> for Refusal {
    fn from(error: KmsError) -> Self {
        let status = status(&error);
        if status.is_server_error() {
            tracing::warn!(why = auth_base::chain(&error), "the key provider failed");
        }
        let text = match &error {
            KmsError::KeyNotFound(kid) => format!("Key not found: {kid}"),
            KmsError::KeyExists(kid) => format!("Key already exists: {kid}"),
            KmsError::AlgorithmOfKey { asked, .. } => {
                format!("Algorithm {asked} is not that of the key")
            }
            KmsError::UnsupportedAlgorithm(_) => {
                "Unsupported algorithm of this provider".to_owned()
            }
            KmsError::Unsupported(what) => format!("Not supported by this provider: {what}"),
            KmsError::ImportDisabled(_) => "Not supported by this provider: import".to_owned(),
            KmsError::InputTooLarge(limit) => format!("data has more than {limit} bytes"),
            KmsError::NotWrapped(kid) => format!("Not wrapped with the key: {kid}"),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => "Key provider unavailable".to_owned(),
            _ => "Key provider failed".to_owned(),
        };
        Self::new(status, text)
    }
}

fn status(error: &KmsError) -> StatusCode {
    match error {
        KmsError::KeyNotFound(_) => StatusCode::NOT_FOUND,
        KmsError::KeyExists(_) => StatusCode::CONFLICT,
        KmsError::AlgorithmOfKey { .. }
        | KmsError::UnsupportedAlgorithm(_)
        | KmsError::NotWrapped(_) => StatusCode::BAD_REQUEST,
        KmsError::Unsupported(_) | KmsError::ImportDisabled(_) => StatusCode::METHOD_NOT_ALLOWED,
        KmsError::InputTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        error if error.is_temporary() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
