//! The one shape in which a peer says no: `{"error":"<CODE>","message":"...","field"?:"..."}`.

use std::error::Error;
use std::time::Duration;

use auth_base::error_chain::chain;
use auth_base::store_error::StoreError;
use hmac_propagation::error::PropagationError;
use serde::Serialize;
use utoipa::ToSchema;

/// Bodies of requests are no longer than this, in bytes.
pub const BODY_LIMIT: usize = 64 * 1024;

/// A request's answer begins within this time.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// A refusal or failure, as the caller reads it. What the log reads is not in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// A stable code.
    pub error: &'static str,
    /// What is wrong, in words; never a secret.
    pub message: String,
    /// Which field of the request is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Problem {
    /// A problem without a field.
    pub fn new(status: u16, error: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            error,
            message: message.into(),
            field: None,
        }
    }

    /// 400: a field is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(400, "INVALID_OPTIONS", message)
        }
    }

    /// 400: the body is no JSON object.
    pub fn invalid_json(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_JSON", message)
    }

    /// 404: no such route.
    pub fn no_route() -> Self {
        Self::new(404, "NOT_FOUND", "there is nothing here")
    }

    /// 404: no such client.
    pub fn unknown_client(client_id: &str) -> Self {
        let message = format!("unknown client {client_id}");
        Self {
            field: Some("clientId".to_owned()),
            ..Self::new(404, "UNKNOWN_CLIENT", message)
        }
    }

    /// 405: the route exists, but not with this method.
    pub fn method_not_allowed() -> Self {
        Self::new(
            405,
            "METHOD_NOT_ALLOWED",
            "this route does not take this method",
        )
    }

    /// 408: the body did not come in time.
    pub fn too_slow() -> Self {
        Self::new(
            408,
            "REQUEST_TIMEOUT",
            "the request's body did not come in time",
        )
    }

    /// 400: the body did not come whole.
    pub fn broken_body() -> Self {
        Self::new(400, "INVALID_BODY", "the request's body cannot be read")
    }

    /// 413: the body is longer than [`BODY_LIMIT`].
    pub fn too_large() -> Self {
        Self::new(
            413,
            "PAYLOAD_TOO_LARGE",
            format!("a body has at most {BODY_LIMIT} bytes"),
        )
    }

    /// 415: the body is not declared as JSON.
    pub fn not_json() -> Self {
        Self::new(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "the content type must be application/json",
        )
    }

    /// 415: the body is not declared as a form, on a route that only forms need.
    pub fn not_form() -> Self {
        let message = "the content type must be application/x-www-form-urlencoded";
        Self::new(415, "UNSUPPORTED_MEDIA_TYPE", message)
    }

    /// 503: a store, the broker or a peer is away.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "INTERNAL_ERROR", message)
    }

    /// 503: the answer did not begin within [`REQUEST_LIMIT`].
    pub fn timeout() -> Self {
        Self::new(
            503,
            "TIMEOUT",
            format!("the request took more than {} s", REQUEST_LIMIT.as_secs()),
        )
    }

    /// 500: a failure that is not the caller's, and that trying again does not mend.
    pub fn internal() -> Self {
        Self::new(500, "INTERNAL_ERROR", "the peer failed; its log says more")
    }

    /// The body.
    pub fn body(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

impl From<PropagationError> for Problem {
    fn from(error: PropagationError) -> Self {
        let status = match &error {
            PropagationError::InvalidOptions { field, message } => {
                return Self::invalid(*field, message.clone());
            }
            PropagationError::UnknownClient(client_id) => {
                return Self::unknown_client(client_id.as_str());
            }
            PropagationError::ManagementNotConfigured => 409,
            unavailable if unavailable.is_unavailable() => 503,
            _ => 500,
        };
        if status >= 500 {
            log_failure("a change or sync failed", &error);
        }
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        log_failure("the peer's store failed", &error);
        match error {
            StoreError::Corrupt { .. } => Self::new(500, "INTERNAL_ERROR", error.to_string()),
            _ => Self::unavailable("the peer's store is away"),
        }
    }
}

/// Writes an error and its sources to the log.
pub fn log_failure(what: &str, error: &dyn Error) {
    tracing::warn!(error = %chain(error), "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_field_only_when_there_is_one() {
        assert_eq!(
            Problem::no_route().body(),
            r#"{"error":"NOT_FOUND","message":"there is nothing here"}"#
        );
        assert_eq!(
            Problem::invalid("secret", "is missing").body(),
            r#"{"error":"INVALID_OPTIONS","field":"secret","message":"is missing"}"#
        );
    }

    #[test]
    fn a_propagation_error_keeps_its_code_and_field() {
        let problem = Problem::from(PropagationError::InvalidOptions {
            field: "targets",
            message: "unknown targets: x".to_owned(),
        });
        assert_eq!((problem.status, problem.error), (400, "INVALID_OPTIONS"));
        assert_eq!(problem.field.as_deref(), Some("targets"));
        assert_eq!(Problem::from(PropagationError::Timeout("sql")).status, 503);
        assert_eq!(
            Problem::from(PropagationError::ManagementNotConfigured).status,
            409
        );
    }
}
