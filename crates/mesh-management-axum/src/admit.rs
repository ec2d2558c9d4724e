//! Who may: asked before a route.

use auth_base::request::sent_target;
use axum::extract::{OriginalUri, Request, State};
use axum::http::Version;
use axum::http::uri::PathAndQuery;
use axum::middleware::Next;
use axum::response::Response;
use mesh_management::Gate;
use mesh_management::admission::Sent;

use crate::answer::{Headers, send, with};

/// A middleware, for `axum::middleware::from_fn_with_state`: who may not is refused, and the handler finds who it is
/// ([`mesh_management::admission::Caller`]) among the request's extensions.
pub async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let original = request.extensions().get::<OriginalUri>();
    let uri = original
        .map_or(request.uri(), |original| &original.0)
        .clone();
    let target = sent_target(
        uri.path_and_query().map(PathAndQuery::as_str),
        uri.authority().is_some() && request.version() < Version::HTTP_2,
        || uri.to_string(),
    );
    let sent = Sent {
        method: request.method().as_str(),
        target: &target,
        headers: &Headers(request.headers()),
    };
    match gate.admit(sent).await {
        Ok(None) => next.run(request).await,
        Ok(Some(caller)) => {
            let headers = caller.headers.clone();
            request.extensions_mut().insert(caller);
            with(next.run(request).await, headers)
        }
        Err(denied) => send(denied.into()),
    }
}
