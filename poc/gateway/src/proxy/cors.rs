//! Pages of listed origins may ask, with their user's cookies, and read the answers (the Fetch standard's CORS protocol).

use axum::Router;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::proxy::head::Origin;

/// Answers what browsers ask before, and says which origins may read. Without origins nothing is said.
pub(super) fn allow(router: Router, origins: &[Origin]) -> Router {
    let origins = origins.iter().map(Origin::as_str);
    let origins: Vec<_> = origins.flat_map(HeaderValue::from_str).collect();
    if origins.is_empty() {
        return router;
    }
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
    ];
    router.layer(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_credentials(true)
            .allow_methods(methods)
            .allow_headers([CONTENT_TYPE, AUTHORIZATION])
            .expose_headers([AUTHORIZATION]),
    )
}
