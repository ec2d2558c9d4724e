//! What went wrong, as a status and a body.

use auth_base::error_chain::chain;
use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jwt_auth_axum::Refused;
use serde_json::{Map, Value, json};

use crate::service::Problem;

/// What a caller reads instead of an answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The service says no.
    Problem(Problem),
    /// The request is none that the service could be asked about.
    Request(StatusCode, &'static str),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Request(status, text) => (status, Json(json!({ "error": text }))).into_response(),
            Self::Problem(Problem::Denied(rejection)) => Refused::from(rejection).into_response(),
            Self::Problem(problem) => answer(&problem),
        }
    }
}

fn answer(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(body(problem, status))).into_response();
    if let Some(seconds) = retry_after(problem, status) {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What failed on this side has the house's three members; the log reads what lies below, the caller does not.
fn body(problem: &Problem, status: StatusCode) -> Value {
    let is_ours = status.is_server_error() || matches!(problem, Problem::Store(_));
    let mut body = Map::new();
    if is_ours {
        tracing::error!(error = %chain(problem), "a call could not be done");
        let reason = status.canonical_reason().unwrap_or_default();
        body.insert("error".to_owned(), reason.into());
        body.insert("message".to_owned(), problem.to_string().into());
    } else {
        body.insert("error".to_owned(), problem.to_string().into());
    }
    for (name, value) in [("code", problem.code()), ("field", problem.field())] {
        if let Some(value) = value {
            body.insert(name.to_owned(), value.into());
        }
    }
    body.into()
}

/// In whole seconds, at least one.
fn retry_after(problem: &Problem, status: StatusCode) -> Option<u64> {
    match problem {
        Problem::TooManyAttempts { retry_after_ms } => {
            let left = u64::try_from(*retry_after_ms).unwrap_or_default();
            Some(left.div_ceil(1_000).max(1))
        }
        _ if matches!(status.as_u16(), 503 | 504) => Some(1),
        _ => None,
    }
}
