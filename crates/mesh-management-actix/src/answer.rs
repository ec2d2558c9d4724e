//! Answers in actix-web's types.

use std::convert::Infallible;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::StreamExt;
use mesh_api::problem::Problem;
use mesh_management::headers::HeaderText;
use mesh_management::surface::{Answer, HEADERS, page_headers};
use mesh_management::view::Events;

/// Says no.
pub fn refuse(problem: Problem) -> HttpResponse {
    send(problem.into())
}

/// Sends an answer.
pub fn send(answer: Answer) -> HttpResponse {
    match answer {
        Answer::Json {
            status,
            body,
            headers,
        } => {
            let mut response = json(status);
            for header in headers {
                response.append_header(header);
            }
            response.body(body)
        }
        Answer::Redirect { location } => HttpResponse::SeeOther()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::LOCATION, location))
            .finish(),
    }
}

/// Answers with JSON, never cached.
pub fn json(status: u16) -> HttpResponseBuilder {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for header in HEADERS {
        response.insert_header(header);
    }
    response
}

/// Answers with what is read in a browser, held to `policy`.
pub fn page(content_type: &'static str, policy: &'static str) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    for header in page_headers(content_type, policy) {
        response.insert_header(header);
    }
    response
}

/// Sends events for as long as they come.
pub fn stream(events: Events) -> HttpResponse {
    json(200)
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .streaming(events.map(|block| Ok::<_, Infallible>(Bytes::from(block))))
}

/// Headers as the guards read them.
pub struct Headers<'a>(pub &'a HeaderMap);

impl HeaderText for Headers<'_> {
    fn all<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
        self.0.get_all(name).map(HeaderValue::as_bytes).collect()
    }
}
