//! What stands before every route.

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::Response;
use mesh_management::edge::Hosts;

use crate::answer::{Headers, refuse};

/// A middleware, for `axum::middleware::from_fn_with_state`: what is sent to another name is refused, whatever its route.
pub async fn edge(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let authority = request.uri().authority().map(Authority::as_str);
    match hosts.check(authority, request.uri().path(), &Headers(request.headers())) {
        Ok(()) => next.run(request).await,
        Err(problem) => refuse(problem),
    }
}
