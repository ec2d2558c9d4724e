//! Answers in actix-web's types.

use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Bytes;
use futures_util::StreamExt;
use kit::events::{CONTENT_TYPE, Events};
use kit::pages::reply::Reply;
use kit::problem::Problem;
use kit::surface::guard::HeaderText;

/// Says no.
pub(crate) fn refuse(problem: &Problem) -> HttpResponse {
    respond(problem.status, problem.body())
}

/// Answers with JSON, never cached.
pub(crate) fn respond(status: u16, body: impl MessageBody + 'static) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(body)
}

/// Sends what the kit made.
pub(crate) fn send(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for header in reply.headers {
        response.insert_header(header);
    }
    response.body(reply.body)
}

/// Sends events for as long as they come.
pub(crate) fn stream(events: Events) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, CONTENT_TYPE))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .streaming(events.map(|block| Ok::<_, Infallible>(Bytes::from(block))))
}

/// Headers as the kit reads them.
pub(crate) struct Headers<'a>(pub(crate) &'a HeaderMap);

impl HeaderText for Headers<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }
}
