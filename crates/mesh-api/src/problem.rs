//! The one shape in which the surface says no: `{"error":"<CODE>","message":"...","field"?:"..."}`.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bodies of requests are no longer than this, in bytes.
pub const BODY_LIMIT: usize = 64 * 1024;

/// A request's answer begins within this time.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// A refusal or failure, as the caller reads it. What the log reads is not in here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// A stable code.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub error: Cow<'static, str>,
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
            error: Cow::Borrowed(error),
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

    /// The body; its members are in the order of their names.
    pub fn body(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{} {field}: {}", self.error, self.message),
            None => write!(f, "{} {}", self.error, self.message),
        }
    }
}

impl Error for Problem {}

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
}
