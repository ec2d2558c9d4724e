//! The shared behaviour suite over axum.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use hmac_auth_axum::{HmacAuthLayer, RestrictToLayer, VerifiedClient};
use hmac_testkit::http_layer::{Setup, echo_headers};
use tokio::net::TcpListener;

hmac_testkit::http_layer_cases!(axum_layer, serve);

async fn echo(VerifiedClient(verified): VerifiedClient, body: Bytes) -> impl IntoResponse {
    (echo_headers(&verified), body)
}

fn app(setup: Setup) -> Router {
    let layer = HmacAuthLayer::new(setup.verifier)
        .body_limit(setup.body_limit)
        .body_timeout(setup.body_timeout);
    let restriction = RestrictToLayer::new(setup.only);
    let nested = Router::new().route("/echo", any(echo)).layer(layer.clone());
    let guarded = Router::new()
        .route("/only", any(echo).layer(restriction.clone()))
        .route("/echo", any(echo))
        .route("/echo/{*rest}", any(echo))
        .layer(layer);
    Router::new()
        .merge(guarded)
        .nest("/nested", nested)
        .route("/forgotten", get(echo))
        .route(
            "/only-forgotten",
            get(|| async { "open" }).layer(restriction),
        )
}

async fn serve(setup: Setup) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app(setup).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}
