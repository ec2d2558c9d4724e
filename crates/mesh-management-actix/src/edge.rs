//! What stands before every route.

use std::array;
use std::sync::LazyLock;

use actix_router::{Quoter, Url};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::uri::Authority;
use actix_web::middleware::Next;
use actix_web::web::Data;
use mesh_api::problem::Problem;
use mesh_management::edge::Hosts;

use crate::answer::{Headers, refuse};

/// Leaves what is escaped as it is.
static AS_SENT: LazyLock<Quoter> = LazyLock::new(|| {
    let ascii: [u8; 128] = array::from_fn(|byte| byte as u8);
    Quoter::new(b"", &ascii)
});

/// A middleware, for `actix_web::middleware::from_fn`, to wrap the application with: what is sent to another name than those
/// of the application's `Data<Hosts>` is refused, whatever its route, and routes see a path as it was sent. Without it actix
/// decodes a path before it looks for its route, so that `/%61dmin` is `/admin`, past every rule of a proxy in front.
///
/// # Errors
/// That refusal, and those of what comes after it.
pub async fn edge<B: MessageBody>(
    hosts: Data<Hosts>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let uri = request.uri().clone();
    let authority = uri.authority().map(Authority::as_str);
    if let Err(problem) = hosts.check(authority, uri.path(), &Headers(request.headers())) {
        return Err(InternalError::from_response("misdirected", refuse(problem)).into());
    }
    *request.match_info_mut().get_mut() = Url::new_with_quoter(uri, &AS_SENT);
    next.call(request).await
}

/// Refuses what was routed by another path than the one that was sent: an application without [`edge`] has no route for it.
pub(crate) async fn as_sent<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let sent = Url::new_with_quoter(request.uri().clone(), &AS_SENT);
    if request.match_info().get_ref().path() == sent.path() {
        return next.call(request).await;
    }
    Err(InternalError::from_response("not as sent", refuse(Problem::no_route())).into())
}
