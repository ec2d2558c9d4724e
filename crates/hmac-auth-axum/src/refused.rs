//! A refusal as axum's response.

use axum::response::{IntoResponse, Response};
use hmac_auth::layer::Refusal;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Answers a [`Refusal`] as `{"error":"<CODE>","message":"<text>"}` with its status.
#[derive(Debug)]
pub struct Refused(pub Refusal);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = self.0.headers().map(|(name, value)| {
            let value = HeaderValue::from_static(value);
            (HeaderName::from_static(name), value)
        });
        (status, HeaderMap::from_iter(headers), self.0.body()).into_response()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}
