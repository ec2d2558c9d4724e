//! The routes, each behind the token that it asks for.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use jwt_auth::{InternalGuard, InternalTokenVerifier};
use jwt_auth_axum::{Internal, InternalTokenLayer};

use crate::answer::Refusal;
use crate::handlers::handler;
use crate::health;
use crate::operation::{Operation, Route};
use crate::service::caller::WRITES_ACCOUNTS;
use crate::service::{Accounts, Caller, Problem};

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
        let handler = match route.is_for_admins {
            true => handler(operation).route_layer(from_fn_with_state(accounts.clone(), admins)),
            false => handler(operation),
        };
        router = router.route(route.path, handler.route_layer(layer));
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

/// Whoever acts on others may still do so.
async fn admins(
    State(accounts): State<Accounts>,
    Internal(context): Internal,
    request: Request,
    next: Next,
) -> Response {
    match accounts.require_admin(&Caller::new(context)).await {
        Ok(()) => next.run(request).await,
        Err(problem) => Refusal::Problem(problem).into_response(),
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
