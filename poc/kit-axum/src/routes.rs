//! The routes of a peer.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method as HttpMethod, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hmac_auth_axum::{HmacAuthLayer, VerifiedClient};
use kit::metrics::CONTENT_TYPE;
use kit::openapi::schema::Echo;
use mesh_api::openapi::page;
use mesh_api::problem::{BODY_LIMIT, Problem};
use mesh_management_axum::answer::{json, refuse};
use mesh_management_axum::limit::limit;

use crate::{Shared, pages, unread};

/// All routes of the peer.
pub(crate) fn router(context: Shared) -> Router {
    let mut router = pages::router(&context);
    for (path, surface) in context.surfaces() {
        router = router.nest(path, mesh_management_axum::router(surface));
    }
    let signed = HmacAuthLayer::new(context.verifier.clone()).body_limit(BODY_LIMIT);
    let echo_routes = Router::new()
        .route("/api/echo", get(echo).post(echo))
        .route_layer(signed);
    router
        .merge(echo_routes)
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi))
        .route("/docs", get(docs))
        .fallback(pages::not_found)
        .method_not_allowed_fallback(|| async { refuse(Problem::method_not_allowed()) })
        .layer(from_fn(limit))
        .layer(from_fn(unread::announce))
        .layer(from_fn_with_state(Arc::clone(&context), observe))
        .with_state(context)
}

async fn echo(
    State(context): State<Shared>,
    VerifiedClient(client): VerifiedClient,
    body: Bytes,
) -> Response {
    let echo = Echo::new(&context.peer, client.client_id.as_str(), &body);
    match serde_json::to_string(&echo) {
        Ok(answer) => json(200, answer),
        Err(_) => refuse(Problem::internal()),
    }
}

async fn livez() -> Response {
    json(200, r#"{"status":"alive"}"#)
}

async fn readyz(State(context): State<Shared>) -> Response {
    let readiness = context.health.readiness().await;
    json(readiness.http_status(), readiness.body())
}

async fn metrics(State(context): State<Shared>) -> Response {
    (
        [(header::CONTENT_TYPE, CONTENT_TYPE)],
        context.metrics_text().await,
    )
        .into_response()
}

async fn openapi(State(context): State<Shared>) -> Response {
    json(200, context.openapi.clone())
}

async fn docs(State(context): State<Shared>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            page::CONTENT_SECURITY_POLICY,
        ),
    ];
    (headers, context.page.clone()).into_response()
}

/// Counts every request by its route's pattern.
async fn observe(State(context): State<Shared>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    match route {
        Some(route) => {
            let route = route.as_str().to_owned();
            context
                .metrics
                .request(route, method, status, started.elapsed());
        }
        None => context
            .metrics
            .request("other", method, status, started.elapsed()),
    }
    response
}

fn method_name(method: &HttpMethod) -> &'static str {
    match *method {
        HttpMethod::GET => "GET",
        HttpMethod::POST => "POST",
        HttpMethod::DELETE => "DELETE",
        HttpMethod::HEAD => "HEAD",
        _ => "other",
    }
}
