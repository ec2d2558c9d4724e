//! Answers in axum's types.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use mesh_api::problem::Problem;
use mesh_management::headers::HeaderText;
use mesh_management::surface::{Answer, HEADERS};
use mesh_management::view::Events;

/// Says no.
pub fn refuse(problem: Problem) -> Response {
    send(problem.into())
}

/// Sends an answer.
pub fn send(answer: Answer) -> Response {
    match answer {
        Answer::Json {
            status,
            body,
            headers,
        } => with(json(status, body), headers),
        Answer::Redirect { location } => (
            StatusCode::SEE_OTHER,
            [
                (header::CACHE_CONTROL, "no-store".to_owned()),
                (header::LOCATION, location),
            ],
        )
            .into_response(),
    }
}

/// Sets headers of a response.
pub(crate) fn with(mut response: Response, headers: Vec<(&'static str, String)>) -> Response {
    for (name, value) in headers {
        // What is no header's value is told in the body or in the log.
        if let Ok(value) = HeaderValue::try_from(value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Answers with JSON, never cached.
pub fn json(status: u16, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Sends events for as long as they come.
pub fn stream(events: Events) -> Response {
    let mut response = json(200, Body::from_stream(events.map(Ok::<_, Infallible>)));
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Headers as the guards read them.
pub struct Headers<'a>(pub &'a HeaderMap);

impl HeaderText for Headers<'_> {
    fn all<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
        let values = self.0.get_all(name).iter();
        values.map(HeaderValue::as_bytes).collect()
    }
}
