//! The routes, each behind the token that it asks for.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use jwt_auth::{InternalGuard, InternalTokenVerifier};
use jwt_auth_axum::InternalTokenLayer;

use crate::answer::Refusal;
use crate::handlers::handler;
use crate::health;
use crate::operation::{Operation, Route};
use crate::service::caller::WRITES_ACCOUNTS;
use crate::service::{Accounts, Problem};

/// A body may have so many bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A request is read and answered in this time.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// The routes over `accounts`, for whoever comes with a token that `tokens` takes.
pub fn router(accounts: Accounts, tokens: &InternalTokenVerifier) -> Router {
    let mut router = Router::new();
    for operation in Operation::ALL {
        let route = operation.route();
        let layer = InternalTokenLayer::new(guard(&route, tokens));
        router = router.route(route.path, handler(operation).route_layer(layer));
    }
    router
        .merge(health::routes(accounts.clone()))
        .fallback(async || Refusal::Request(StatusCode::NOT_FOUND, "Not found"))
        .method_not_allowed_fallback(async || {
            Refusal::Request(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(within_the_limit))
        .with_state(accounts)
}

fn guard(route: &Route, tokens: &InternalTokenVerifier) -> InternalGuard {
    let guard = InternalGuard::new(tokens.clone()).scope(route.scope);
    match route.is_for_admins {
        true => guard.any_permission(WRITES_ACCOUNTS),
        false => guard,
    }
}

/// Who sends his body byte by byte does not keep us; and nothing that is said here is kept on the way.
async fn within_the_limit(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(REQUEST_LIMIT, next.run(request)).await;
    let mut answer = answer.unwrap_or_else(|_| Refusal::Problem(Problem::TimedOut).into_response());
    let no_store = HeaderValue::from_static("no-store");
    answer.headers_mut().insert(CACHE_CONTROL, no_store);
    answer
}
