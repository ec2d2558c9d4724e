//! A refusal as actix's response and error.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use hmac_auth::layer::Refusal;

/// Answers a [`Refusal`] as `{"error":"<CODE>","message":"<text>"}` with its status.
#[derive(Debug)]
pub struct Refused(pub Refusal);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        status(&self.0)
    }

    fn error_response(&self) -> HttpResponse {
        response(&self.0)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

/// The response of a refusal.
pub(crate) fn response(refusal: &Refusal) -> HttpResponse {
    let mut response = HttpResponse::build(status(refusal));
    for header in refusal.headers() {
        response.insert_header(header);
    }
    response.body(refusal.body())
}

fn status(refusal: &Refusal) -> StatusCode {
    StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
