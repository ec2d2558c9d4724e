//! Protects a route in axum. `docs` and README show this file; it is compiled with the rest.

use std::error::Error;
use std::future::pending;
use std::sync::Arc;

use axum::{Router, routing::get};
use hmac_auth::{
    Credentials, MemoryCredentialStore, MemoryNonceStore, NewCredential, Secret, Verifier,
};
use hmac_auth_axum::{HmacAuthLayer, VerifiedClient};

async fn greet(VerifiedClient(client): VerifiedClient) -> String {
    format!("hello {}\n", client.client_id)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(MemoryCredentialStore::new()); // for more than one process: hmac-auth-redis
    let secret = Secret::new("a secret of 16 bytes or more");
    Credentials::new(store.clone())
        .create("billing", NewCredential::with_secret(secret))
        .await?;

    let verifier = Verifier::new(store, Arc::new(MemoryNonceStore::new()));
    let app = Router::new()
        .route("/greet", get(greet))
        .layer(HmacAuthLayer::new(verifier));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum_serve::serve(listener, app, pending()).await?;
    Ok(())
}
