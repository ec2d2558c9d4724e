//! Routes that the gateway answers itself, in front of all peers: reached after the same checks of a request's head.

use std::net::IpAddr;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use mesh_api::problem::Problem;
use tower::ServiceExt as _;

use crate::proxy::head::Head;

/// What the pipeline knows of a request that the gateway answers itself. It is in the request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// Its name in logs.
    pub(crate) request_id: String,
    /// Where it came from, proxies considered.
    pub(crate) address: IpAddr,
    /// Whether a page may have sent it that is none of this site's.
    pub(crate) site: Result<(), Problem>,
    /// Path and query, as they came.
    pub(crate) target: String,
}

impl Arrival {
    pub(super) fn new(head: &Head, request_id: &str) -> Self {
        Self {
            request_id: request_id.to_owned(),
            address: head.address,
            site: head.site.clone(),
            target: head.target.as_str().to_owned(),
        }
    }
}

/// Routes of the gateway's own.
#[derive(Clone)]
pub(crate) struct OwnRoutes {
    /// Answers all of them, the unknown ones too.
    pub(crate) router: Router,
    /// Tells which paths are the gateway's.
    pub(crate) covers: fn(&str) -> bool,
}

impl OwnRoutes {
    pub(super) async fn answer(&self, arrival: Arrival, mut request: Request) -> Response {
        request.extensions_mut().insert(arrival);
        let answered = self.router.clone().oneshot(request).await;
        answered.unwrap_or_else(|never| match never {})
    }
}
