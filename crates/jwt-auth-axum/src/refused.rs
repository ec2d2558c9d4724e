//! A refusal as axum's response.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jwt_auth::guard::Refusal;
use jwt_auth::{AccessRejection, InternalRejection};

/// Answers a [`Refusal`] with its status, its headers and its body. Handlers that ask a context for more return it with `?`.
#[derive(Debug)]
pub struct Refused(pub Refusal);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = self.0.headers.into_iter().filter_map(|(name, value)| {
            let value = HeaderValue::try_from(value).ok()?;
            Some((HeaderName::from_static(name), value))
        });
        (status, HeaderMap::from_iter(headers), self.0.body).into_response()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<InternalRejection> for Refused {
    fn from(rejection: InternalRejection) -> Self {
        Self(rejection.into())
    }
}

impl From<AccessRejection> for Refused {
    fn from(rejection: AccessRejection) -> Self {
        Self(rejection.into())
    }
}
