//! A receive-only peer on actix-web: it receives the credentials of the mesh and serves a route that they protect.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{App, Error, HttpResponse, HttpServer};
use hmac_auth::verify::Verifier;
use hmac_auth_actix::{HmacAuth, VerifiedClient};
use hmac_auth_redis::cached_credentials::{CacheOptions, CachedCredentials};
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_propagation::propagator::{Mode, Propagator};
use hmac_propagation_amqp::broker::AmqpBroker;
use hmac_propagation_amqp::options::AmqpOptions;
use hmac_propagation_redis::peer_store::RedisPeerStore;
use mesh_api::permission::Permission;
use mesh_api::problem::{BODY_LIMIT, Problem};
use mesh_management::{Admission, Gate};
use mesh_management_actix::admit::gated;
use mesh_management_actix::answer::{json, page, refuse};
use mesh_management_actix::edge::edge;
use mesh_management_actix::limit::limit;
use mesh_management_actix::resource::{READ, read, resource};
use peer_backends::backends::Backends;
use peer_backends::redis::{self, RedisCheck};
use peer_kit::admission::admission;
use peer_kit::application::{Application, Peer, listen};
use peer_kit::config::{Config, Defaults};
use peer_kit::echo::Echo;
use peer_kit::openapi::Documentation;
use peer_kit::process::Failure;
use peer_kit::shutdown::{HTTP_LIMIT, Stop};
use peer_kit::{metrics, process, tls};
use redis_link::link::RedisLink;

/// What the peer is when nothing is said.
pub const DEFAULTS: Defaults = Defaults {
    binary: "consumer",
    about: "A receive-only peer of the mesh: receives credential changes and serves what they protect",
    mode: Mode::ReceiveOnly,
    peer: "consumer",
    port: 3002,
};

/// Threads that serve; a peer is small.
const WORKERS: usize = 2;

/// Reads the command line and the environment, and serves until SIGTERM or SIGINT.
pub fn main() -> ExitCode {
    process::run(&DEFAULTS, build)
}

/// The peer over RabbitMQ and Redis. It starts while they are away.
///
/// # Errors
/// When the configuration can never work or the port is taken.
pub async fn build(config: Config) -> Result<Application, Failure> {
    let backends = backends(&config)?;
    start(config, backends).await
}

/// RabbitMQ and Redis. Nothing connects before it is asked.
///
/// # Errors
/// When an address can never work.
pub fn backends(config: &Config) -> Result<Backends, Failure> {
    tls::install_provider();
    let redis = RedisLink::open(config.redis_url.expose())?;
    let places = redis::places(config);
    let credentials = RedisCredentialStore::new(redis.clone(), places.http.clone());
    let nonces = RedisNonceStore::new(redis.clone(), places.http.clone());
    let used_tokens = redis::used_tokens(&redis, config);
    let store = RedisPeerStore::new(redis, places);
    let check = RedisCheck {
        nonces: nonces.clone(),
        store: store.clone(),
        is_source: false,
    };
    let amqp = AmqpOptions::from_url(config.amqp_url.expose(), config.peer.as_str())?;
    Ok(Backends {
        broker: Arc::new(AmqpBroker::connect(amqp)),
        store: Arc::new(store),
        credentials: Arc::new(CachedCredentials::spawn(
            credentials,
            CacheOptions::default(),
        )),
        nonces: Arc::new(nonces),
        used_tokens: Arc::new(used_tokens),
        checks: vec![Box::new(check)],
        views: Vec::new(),
        control: None,
    })
}

/// What the handlers share.
struct Shared {
    peer: Peer,
    documentation: Documentation,
    admission: Option<Arc<dyn Admission>>,
}

/// The peer over `backends`.
///
/// # Errors
/// When the configuration can never work or the port is taken.
pub async fn start(config: Config, backends: Backends) -> Result<Application, Failure> {
    let (listener, stop) = (listen(config.listen).await?, Stop::default());
    let address = listener.local_addr()?;
    let admission = admission(&config, backends.used_tokens, address)?;

    let (own, secret) = (config.peer.clone(), config.propagation_secret.clone());
    let propagator = Propagator::builder(own.clone(), secret, backends.broker, backends.store)
        .secret_token(config.secret_token.clone())
        .settings(config.settings())
        .sources(config.sources()?.to_vec())
        .start();
    let peer = Peer::new(&own, propagator, backends.checks, stop.clone());

    let verifier = Verifier::new(backends.credentials, backends.nonces)
        .trusted_proxies(config.trusted_proxies.clone())
        .nonce_bytes_per_client(config.nonce_bytes_per_client)
        .rotation_grace(config.rotation_grace)
        .on_bad_signature(peer.metrics.bad_signatures());

    let shared = Data::new(Shared {
        peer: peer.clone(),
        documentation: Documentation::new(own.as_str(), Mode::ReceiveOnly, false),
        admission,
    });
    let hosts = Data::new(config.hosts);
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .app_data(hosts.clone())
            .configure(|config| routes(config, &shared, &verifier))
            .wrap(from_fn(limit))
            .wrap(from_fn(edge))
            .wrap(from_fn(observe))
    };
    let server = HttpServer::new(app)
        .workers(WORKERS)
        .tcp_nodelay(true)
        .keep_alive(config.keep_alive)
        .disable_signals()
        .shutdown_timeout(HTTP_LIMIT.as_secs())
        .listen(listener.into_std()?)?
        .run();
    let handle = server.handle();
    tokio::spawn(async move {
        stop.asked().await;
        handle.stop(true).await;
    });
    Ok(Application::new(address, peer, server))
}

/// All routes. The metrics ask who comes, unless `MANAGEMENT_AUTH` is open.
fn routes(config: &mut ServiceConfig, shared: &Shared, verifier: &Verifier) {
    let gate = Gate::new(Permission::MeshRead, shared.admission.clone());
    let signed = HmacAuth::new(verifier.clone()).body_limit(BODY_LIMIT);
    config
        .service(
            resource("/api/echo", "GET,HEAD,POST")
                .route(read().to(echo).wrap(signed.clone()))
                .route(web::post().to(echo).wrap(signed)),
        )
        .service(resource("/livez", READ).route(read().to(livez)))
        .service(resource("/readyz", READ).route(read().to(readyz)))
        .service(resource("/metrics", READ).route(gated(read().to(metrics), gate)))
        .service(resource("/openapi.json", READ).route(read().to(openapi)))
        .service(resource("/docs", READ).route(read().to(docs)))
        .default_service(web::to(|| async { refuse(Problem::no_route()) }));
}

async fn echo(
    shared: Data<Shared>,
    VerifiedClient(client): VerifiedClient,
    body: Bytes,
) -> HttpResponse {
    json(200).json(Echo::new(
        &shared.peer.name,
        client.client_id.as_str(),
        &body,
    ))
}

async fn livez() -> HttpResponse {
    json(200).body(r#"{"status":"alive"}"#)
}

async fn readyz(shared: Data<Shared>) -> HttpResponse {
    let readiness = shared.peer.health.readiness().await;
    json(readiness.http_status()).body(readiness.body())
}

async fn metrics(shared: Data<Shared>) -> HttpResponse {
    let text = shared.peer.metrics_text(None).await;
    page(metrics::CONTENT_TYPE, metrics::CONTENT_SECURITY_POLICY).body(text)
}

async fn openapi(shared: Data<Shared>) -> HttpResponse {
    json(200).body(shared.documentation.json.clone())
}

async fn docs(shared: Data<Shared>) -> HttpResponse {
    let policy = Documentation::CONTENT_SECURITY_POLICY;
    page(Documentation::CONTENT_TYPE, policy).body(shared.documentation.page.clone())
}

/// Counts every request by its route's pattern.
async fn observe<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let (started, method) = (Instant::now(), request.method().clone());
    let shared = request.app_data::<Data<Shared>>().cloned();
    let route = request.resource_map().match_pattern(request.path());
    let answer = next.call(request).await;
    if let Some(shared) = shared {
        let status = match &answer {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        let (route, took) = (
            route.unwrap_or_else(|| "other".to_owned()),
            started.elapsed(),
        );
        let metrics = &shared.peer.metrics;
        metrics.request(route, method.as_str(), status.as_u16(), took);
    }
    answer
}
