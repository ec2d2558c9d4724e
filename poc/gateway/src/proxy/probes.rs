//! Whether the gateway itself lives and is ready: on a listener of its own, as `/livez` of the others is the peer's.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::get;
use mesh_api::problem::Problem;
use mesh_management_axum::answer::{json, refuse};
use peer_kit::metrics::CONTENT_TYPE as TEXT;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// `/livez`, `/readyz` and `/metrics`. A peer that is away makes no gateway unready: the others are served all the same.
pub(super) fn router(stop: CancellationToken, metrics: Arc<Metrics>) -> Router {
    let alive = async || json(200, r#"{"status":"alive"}"#);
    Router::new()
        .route("/livez", get(alive))
        .route("/readyz", get(readyz))
        .route(
            "/metrics",
            get(async move || ([(CONTENT_TYPE, TEXT)], metrics.render())),
        )
        .fallback(async || refuse(Problem::no_route()))
        .with_state(stop)
}

async fn readyz(State(stop): State<CancellationToken>) -> Response {
    match stop.is_cancelled() {
        false => json(200, r#"{"status":"ready"}"#),
        true => json(503, r#"{"status":"stopping"}"#),
    }
}
