//! Who may: asked before a route.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use jwt_auth_axum::head::target;
use mesh_management::Gate;
use mesh_management::admission::Sent;

use crate::answer::{Headers, send, with};

/// A middleware, for `axum::middleware::from_fn_with_state`: who may not is refused, and the handler finds who it is
/// ([`mesh_management::admission::Caller`]) among the request's extensions.
pub async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let sent = Sent {
        method: parts.method.as_str(),
        target: &target(&parts),
        headers: &Headers(&parts.headers),
    };
    match gate.admit(sent).await {
        Ok(None) => next.run(Request::from_parts(parts, body)).await,
        Ok(Some(caller)) => {
            let headers = caller.headers.clone();
            parts.extensions.insert(caller);
            with(next.run(Request::from_parts(parts, body)).await, headers)
        }
        Err(denied) => send(denied.into()),
    }
}
