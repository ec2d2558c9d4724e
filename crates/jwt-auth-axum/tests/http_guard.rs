//! The shared behaviour suite over axum.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::net::SocketAddr;

use auth_testkit::http_guard::Guards;
use axum::Router;
use axum::routing::{any, get};
use jwt_auth_axum::{Access, AccessTokenLayer, Internal, InternalTokenLayer, Refused};
use tokio::net::TcpListener;

auth_testkit::http_guard_cases!(axum_layer, serve);

async fn internal(Internal(caller): Internal) -> String {
    caller.subject
}

async fn access(Access(caller): Access) -> String {
    caller.claims.client_id
}

async fn more(Access(caller): Access) -> Result<String, Refused> {
    caller.require_scope("orders:list")?;
    Ok(caller.claims.client_id)
}

fn app(guards: Guards) -> Router {
    let gateway = InternalTokenLayer::new(guards.internal);
    let tokens = AccessTokenLayer::new(guards.access);
    let nested = Router::new()
        .route("/internal", any(internal).layer(gateway.clone()))
        .route("/access", any(access).layer(tokens.clone()));
    Router::new()
        .route("/internal", any(internal).layer(gateway))
        .route("/access", any(access).layer(tokens.clone()))
        .route("/more", get(more).layer(tokens))
        .nest("/nested", nested)
        .route("/forgotten/internal", get(internal))
        .route("/forgotten/access", get(access))
}

async fn serve(guards: Guards) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app(guards)).await });
    address
}
