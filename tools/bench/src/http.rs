//! Signed requests through the axum layer with Redis behind it, beside the same route without the layer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auth_base::secret::Secret;
use axum::Router;
use axum::routing::get;
use hmac_auth::credential::{ClientId, CredentialChange};
use hmac_auth::credential_store::{CredentialStore, CredentialWrite, WriteCondition};
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_auth::sign::Signer;
use hmac_auth::verify::Verifier;
use hmac_auth_axum::layer::HmacAuthLayer;
use hmac_auth_redis::cached_credentials::{CacheOptions, CachedCredentials};
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::keys::Namespace;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use redis_link::link::RedisLink;
use tokio::net::TcpListener;

use crate::arguments::Arguments;
use crate::error::Error;
use crate::load::{self, Request};
use crate::table::{Table, median};

const CLIENT: &str = "bench-client";

/// Measures GET and POST, each beside the open route.
pub(crate) async fn measure(arguments: &Arguments, table: &mut Table) -> Result<(), Error> {
    let redis = services::redis().await?;
    let namespace = Namespace::new("hmac:http");
    let link = RedisLink::open(redis.url())?;
    let store = RedisCredentialStore::new(link.clone(), namespace.clone());
    let hash = hash_client_secret(&Secret::new("a-secret-of-sixteen"), None);
    let write = CredentialWrite {
        change: CredentialChange {
            secret_hash: Some(hash.clone()),
            ..CredentialChange::default()
        },
        condition: WriteCondition::Always,
        now_ms: 0,
        backup_ttl: Duration::from_secs(600),
    };
    store.write(&ClientId::parse(CLIENT)?, write).await?;

    let nonces = Arc::new(RedisNonceStore::new(link, namespace));
    let plain = Verifier::new(Arc::new(store.clone()), nonces.clone());
    let cached = Verifier::new(
        Arc::new(CachedCredentials::spawn(store, CacheOptions::default())),
        nonces,
    );
    let open = serve(routes()).await?;
    let with_cache = serve(routes().layer(HmacAuthLayer::new(cached))).await?;
    let without_cache = serve(routes().layer(HmacAuthLayer::new(plain))).await?;
    for (method, body) in [("GET", &[][..]), ("POST", &[b'x'; 128][..])] {
        let (mut floor, mut one, mut two) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..arguments.runs {
            let run = |address, request| {
                load::run(
                    address,
                    arguments.connections,
                    Duration::from_secs(arguments.seconds),
                    request,
                )
            };
            floor.push(run(open, request(method, body, hash.clone())?).await?);
            one.push(run(with_cache, request(method, body, hash.clone())?).await?);
            two.push(run(without_cache, request(method, body, hash.clone())?).await?);
        }
        let floor = median(floor);
        for (label, figure) in [
            ("1 round trip", median(one)),
            ("2 round trips", median(two)),
        ] {
            table.add(
                &format!(
                    "signed {method}, {} bytes, {} connections, {label} to Redis",
                    body.len(),
                    arguments.connections
                ),
                format!("{figure:.0} req/s"),
                format!("{floor:.0} req/s (the same route open, signed by the generator too)"),
                format!("{:.2}", figure / floor),
            );
        }
    }
    Ok(())
}

fn routes() -> Router {
    Router::new().route(
        "/api/echo",
        get(|| async { "ok" }).post(|body: bytes::Bytes| async move { body.len().to_string() }),
    )
}

async fn serve(app: Router) -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move {
        axum::serve(
            axum::serve::ListenerExt::tap_io(listener, |io| drop(io.set_nodelay(true))),
            service,
        )
        .await
    });
    Ok(address)
}

/// Signs every request afresh.
fn request(method: &'static str, body: &[u8], hash: SecretHash) -> Result<Request, Error> {
    let signer = Signer::new(ClientId::parse(CLIENT)?, hash);
    let body = body.to_vec();
    Ok(Arc::new(move || {
        let mut bytes = format!(
            "{method} /api/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n",
            body.len()
        )
        .into_bytes();
        if let Ok(signed) = signer.sign(method, "/api/echo", &body) {
            for (name, value) in signed.pairs() {
                bytes.extend_from_slice(name.as_bytes());
                bytes.extend_from_slice(b": ");
                bytes.extend_from_slice(value.as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&body);
        bytes
    }))
}
