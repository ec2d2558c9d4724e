//! A refusal as actix's response and error.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use jwt_auth::guard::Refusal;
use jwt_auth::{AccessRejection, InternalRejection};

/// Answers a [`Refusal`] with its status, its headers and its body. Handlers that ask a context for more return it with `?`.
#[derive(Debug)]
pub struct Refused(pub Refusal);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for (name, value) in &self.0.headers {
            response.insert_header((*name, value.as_str()));
        }
        response.body(self.0.body.clone())
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
