//! The shared behaviour suite over axum.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Form, Json, Router};
use hmac_auth::verify::Verified;
use hmac_auth_axum::{HmacAuthLayer, RestrictToLayer, VerifiedClient};
use hmac_testkit::http_layer::{Setup, echo_headers};
use tokio::net::TcpListener;

hmac_testkit::http_layer_cases!(axum_layer, serve);

async fn echo(VerifiedClient(verified): VerifiedClient, body: Bytes) -> impl IntoResponse {
    (echo_headers(&verified), body)
}

fn length(verified: &Verified, text: &str) -> Response {
    (echo_headers(verified), text.len().to_string()).into_response()
}

async fn text(VerifiedClient(verified): VerifiedClient, text: String) -> Response {
    length(&verified, &text)
}

async fn json(VerifiedClient(verified): VerifiedClient, Json(text): Json<String>) -> Response {
    length(&verified, &text)
}

async fn form(
    VerifiedClient(verified): VerifiedClient,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    length(&verified, &fields[0].1)
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
        .route("/text", post(text))
        .route("/json", post(json))
        .route("/form", post(form))
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
