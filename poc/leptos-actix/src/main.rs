//! A full-mode peer on actix-web with the dashboard: what the authority can do, and pages to watch and drive the mesh.

mod pages;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{App, Error, HttpResponse, HttpServer};
use auth_base::clock::SystemClock;
use dashboard_pages::pages::Pages;
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
use mesh_api::problem::BODY_LIMIT;
use mesh_management::edge::Hosts;
use mesh_management::form::Forms;
use mesh_management::{Admission, Gate, Management, Surface};
use mesh_management_actix::admit::gated;
use mesh_management_actix::answer::{json, page};
use mesh_management_actix::edge::edge;
use mesh_management_actix::limit::limit;
use mesh_management_actix::resource::{READ, read, resource};
use mesh_view::control::PeerControl;
use mesh_view::sources::Sources;
use mesh_view::stores::PeerStoreView;
use mesh_view::view::LiveMeshView;
use peer_backends::backends::Backends;
use peer_backends::redis::{self, RedisCheck};
use peer_backends::signed_get::HttpSignedGet;
use peer_backends::sql::{self, LateAdministration, SqlCheck};
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
    binary: "leptos-actix",
    about: "A full-mode peer of the mesh with the dashboard, on actix-web",
    mode: Mode::Full,
    peer: "leptos-actix",
    port: 3004,
};

/// Threads that serve; a peer is small.
const WORKERS: usize = 2;

/// Reads the command line and the environment, and serves until SIGTERM or SIGINT.
pub fn main() -> ExitCode {
    process::run_full(&DEFAULTS, build, sql::reseal)
}

/// The peer over RabbitMQ, Redis and SQL. It starts while they are away.
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
    let store = RedisPeerStore::new(redis.clone(), places.clone());
    let used_tokens = redis::used_tokens(&redis, config);
    let check = RedisCheck {
        nonces: nonces.clone(),
        store: store.clone(),
        is_source: true,
    };
    let amqp = AmqpOptions::from_url(config.amqp_url.expose(), config.peer.as_str())?;
    // What other peers hold is read where the configuration says where it is.
    let mut views = vec![redis::view(&config.peer, &redis, &places)];
    for (name, url) in &config.full()?.peer_redis_urls {
        if *name != config.peer {
            views.push(redis::view(name, &RedisLink::open(url.expose())?, &places));
        }
    }
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
        views,
        control: None,
    })
}

/// What the handlers share.
struct Shared {
    peer: Peer,
    management: Arc<Management>,
    documentation: Documentation,
    admission: Option<Arc<dyn Admission>>,
}

/// The peer over `backends`, and its management store over `DATABASE_URL`.
///
/// # Errors
/// When the configuration can never work or the port is taken.
pub async fn start(config: Config, backends: Backends) -> Result<Application, Failure> {
    let (listener, stop) = (listen(config.listen).await?, Stop::default());
    let address = listener.local_addr()?;
    let admission = admission(&config, backends.used_tokens, address)?;
    let full = config.full()?;
    let sql = sql::connect(&config, &stop)?;
    let (own, secret) = (config.peer.clone(), config.propagation_secret.clone());
    let propagator = Propagator::builder(own.clone(), secret, backends.broker, backends.store)
        .secret_token(config.secret_token.clone())
        .settings(config.settings())
        .management(Arc::new(sql.clone()))
        .unsigned_ack_targets(full.unsigned_ack_targets.clone())
        .views(backends.views.iter().map(PeerStoreView::for_drift))
        .start();
    let mut checks = backends.checks;
    checks.push(Box::new(SqlCheck(sql.clone(), own.clone())));
    let peer = Peer::new(&own, propagator, checks, stop.clone());

    let verifier = Verifier::new(backends.credentials, backends.nonces)
        .trusted_proxies(config.trusted_proxies.clone())
        .nonce_bytes_per_client(config.nonce_bytes_per_client)
        .rotation_grace(config.rotation_grace)
        .on_bad_signature(peer.metrics.bad_signatures());

    let sql = Arc::new(LateAdministration(sql));
    let management = management(&config, &peer, sql, backends.views, backends.control)?;
    let folder = full.dashboard_dir.clone();
    let pages = Data::new(Pages::new(own.as_str(), Arc::clone(&management), folder));
    let shared = Data::new(Shared {
        peer: peer.clone(),
        management,
        documentation: Documentation::new(own.as_str(), Mode::Full, true),
        admission,
    });
    let (hosts, keep_alive) = (Data::new(config.hosts), config.keep_alive);
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .app_data(hosts.clone())
            .app_data(pages.clone())
            .configure(|config| routes(config, &shared, &hosts, pages.forms(), &verifier))
            .wrap(from_fn(limit))
            .wrap(from_fn(edge))
            .wrap(from_fn(observe))
    };
    let server = HttpServer::new(app)
        .workers(WORKERS)
        .tcp_nodelay(true)
        .keep_alive(keep_alive)
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

/// What the routes of management do: over SQL, and over what this and the other peers hold.
fn management(
    config: &Config,
    peer: &Peer,
    sql: Arc<LateAdministration>,
    stores: Vec<PeerStoreView>,
    control: Option<Arc<dyn PeerControl>>,
) -> Result<Arc<Management>, Failure> {
    let (own, peer_urls) = (&config.peer, &config.full()?.peer_urls);
    let calls = Arc::new(HttpSignedGet::new()?);
    let mut management = Management::new(own.clone(), peer.propagator.clone(), sql.clone())
        .calls(calls.clone(), peer_urls.clone())
        .secret_token(config.secret_token.clone())
        .rotation_grace(config.rotation_grace);
    for store in stores.iter().filter(|store| store.name == *own) {
        for (track, credentials) in &store.credentials {
            management = management.credentials(*track, Arc::clone(credentials));
        }
    }
    let mesh = LiveMeshView::new(Sources {
        peer: own.clone(),
        stores,
        peer_urls: peer_urls.clone(),
        administration: sql,
        propagator: peer.propagator.clone(),
        health: Arc::clone(&peer.health),
        probe: calls,
        control,
        clock: Arc::new(SystemClock),
        stop: peer.stop.clone(),
    });
    Ok(Arc::new(management.mesh(Some(mesh))))
}

/// All routes. Those of management, the pages and the metrics ask who comes, unless `MANAGEMENT_AUTH` is open.
fn routes(
    config: &mut ServiceConfig,
    shared: &Shared,
    hosts: &Hosts,
    forms: Arc<Forms>,
    verifier: &Verifier,
) {
    let gate = Gate::new(Permission::MeshRead, shared.admission.clone());
    let signed = HmacAuth::new(verifier.clone()).body_limit(BODY_LIMIT);
    let admin = Surface::new(Arc::clone(&shared.management))
        .hosts(hosts.clone())
        .admission(shared.admission.clone())
        .created();
    let api = Surface::new(Arc::clone(&shared.management))
        .hosts(hosts.clone())
        .admission(shared.admission.clone())
        .forms(Some(forms))
        .events();
    config
        .service(
            resource("/api/echo", "GET,HEAD,POST")
                .route(read().to(echo).wrap(signed.clone()))
                .route(web::post().to(echo).wrap(signed)),
        )
        .service(web::scope("/admin").configure(mesh_management_actix::routes(admin)))
        .service(web::scope("/api").configure(mesh_management_actix::routes(api)))
        .configure(|config| pages::routes(config, &gate))
        .service(resource("/livez", READ).route(read().to(livez)))
        .service(resource("/readyz", READ).route(read().to(readyz)))
        .service(resource("/metrics", READ).route(gated(read().to(metrics), gate.clone())))
        .service(resource("/openapi.json", READ).route(read().to(openapi)))
        .service(resource("/docs", READ).route(read().to(docs)))
        .default_service(gated(web::to(pages::not_found), gate));
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
    let store = shared.management.administration();
    let text = shared.peer.metrics_text(Some(store)).await;
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
