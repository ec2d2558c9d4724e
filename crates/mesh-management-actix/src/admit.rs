//! Who may: asked before a route.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpMessage, Route};
use jwt_auth_actix::head::target;
use mesh_management::Gate;
use mesh_management::admission::Sent;

use crate::answer::{Headers, send};

/// A route with a gate before it.
pub fn gated(route: Route, gate: Gate) -> Route {
    route.wrap(from_fn(move |request, next| {
        admit(gate.clone(), request, next)
    }))
}

/// What a middleware made with `actix_web::middleware::from_fn` does: who may not is refused, and the handler finds who it is
/// ([`mesh_management::admission::Caller`]) among the request's extensions.
///
/// # Errors
/// Those of what comes after it.
pub async fn admit<B: MessageBody>(
    gate: Gate,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let sent = Sent {
        method: request.method().as_str(),
        target: &target(request.head()),
        headers: &Headers(request.headers()),
    };
    let admitted = gate.admit(sent).await;
    let caller = match admitted {
        Ok(Some(caller)) => caller,
        Ok(None) => return Ok(next.call(request).await?.map_into_left_body()),
        Err(denied) => {
            let answer = send(denied.into());
            return Ok(request.into_response(answer).map_into_right_body());
        }
    };
    let headers = caller.headers.clone();
    request.extensions_mut().insert(caller);
    let mut response = next.call(request).await?;
    for (name, value) in headers {
        // What is no header's value is told in the log.
        if let Ok(value) = HeaderValue::try_from(value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    Ok(response.map_into_left_body())
}
