//! Protects a route in actix-web. `docs` and README show this file; it is compiled with the rest.

use std::error::Error;
use std::sync::Arc;

use actix_web::{App, HttpServer, web};
use hmac_auth::{
    Credentials, MemoryCredentialStore, MemoryNonceStore, NewCredential, Secret, Verifier,
};
use hmac_auth_actix::{HmacAuth, VerifiedClient};

async fn greet(VerifiedClient(client): VerifiedClient) -> String {
    format!("hello {}\n", client.client_id)
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(MemoryCredentialStore::new()); // for more than one process: hmac-auth-redis
    let secret = Secret::new("a secret of 16 bytes or more");
    Credentials::new(store.clone())
        .create("billing", NewCredential::with_secret(secret))
        .await?;

    let auth = HmacAuth::new(Verifier::new(store, Arc::new(MemoryNonceStore::new())));
    let app = move || {
        App::new()
            .wrap(auth.clone())
            .route("/greet", web::get().to(greet))
    };
    HttpServer::new(app)
        .bind(("127.0.0.1", 3000))?
        .run()
        .await?;
    Ok(())
}
