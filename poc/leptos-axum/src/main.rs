//! A full-mode peer on axum with the dashboard: what the authority can do, and pages to watch and drive the mesh.

mod pages;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use auth_base::clock::SystemClock;
use axum::body::Bytes;
use axum::extract::{FromRef, MatchedPath, Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Json, Response};
use axum::{Router, routing::get};
use dashboard_pages::pages::Pages;
use hmac_auth::verify::Verifier;
use hmac_auth_axum::{HmacAuthLayer, VerifiedClient};
use hmac_auth_redis::cached_credentials::{CacheOptions, CachedCredentials};
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_propagation::propagator::{Mode, Propagator};
use hmac_propagation_amqp::broker::AmqpBroker;
use hmac_propagation_amqp::options::AmqpOptions;
use hmac_propagation_redis::peer_store::RedisPeerStore;
use mesh_api::permission::Permission;
use mesh_api::problem::{BODY_LIMIT, Problem};
use mesh_management::edge::Hosts;
use mesh_management::surface::{HEADERS, page_headers};
use mesh_management::{Admission, Gate, Management, Surface};
use mesh_management_axum::admit::admit;
use mesh_management_axum::answer::{json, refuse};
use mesh_management_axum::edge::edge;
use mesh_management_axum::limit::limit;
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
use peer_kit::shutdown::Stop;
use peer_kit::{metrics, process, tls};
use redis_link::link::RedisLink;

/// What the peer is when nothing is said.
pub const DEFAULTS: Defaults = Defaults {
    binary: "leptos-axum",
    about: "A full-mode peer of the mesh with the dashboard, on axum",
    mode: Mode::Full,
    peer: "leptos-axum",
    port: 3003,
};

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
#[derive(Clone)]
struct Shared {
    peer: Peer,
    management: Arc<Management>,
    pages: Arc<Pages>,
    documentation: Arc<Documentation>,
    admission: Option<Arc<dyn Admission>>,
}

impl FromRef<Shared> for Arc<Pages> {
    fn from_ref(shared: &Shared) -> Self {
        Arc::clone(&shared.pages)
    }
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

    let management = Arc::new(management);
    let folder = full.dashboard_dir.clone();
    let shared = Shared {
        peer: peer.clone(),
        pages: Arc::new(Pages::new(own.as_str(), Arc::clone(&management), folder)),
        management,
        documentation: Arc::new(Documentation::new(own.as_str(), Mode::Full, true)),
        admission,
    };
    let router = app(shared, verifier, config.hosts);
    let stopped = stop.token().cancelled_owned();
    let serving = axum_serve::serve_for(listener, router, config.keep_alive, stopped);
    Ok(Application::new(address, peer, serving))
}

/// What the routes of management do: over SQL, and over what this and the other peers hold.
fn management(
    config: &Config,
    peer: &Peer,
    sql: Arc<LateAdministration>,
    stores: Vec<PeerStoreView>,
    control: Option<Arc<dyn PeerControl>>,
) -> Result<Management, Failure> {
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
    Ok(management.mesh(Some(mesh)))
}

/// All routes. Those of management, the pages and the metrics ask who comes, unless `MANAGEMENT_AUTH` is open.
fn app(shared: Shared, verifier: Verifier, hosts: Hosts) -> Router {
    let admin = Surface::new(Arc::clone(&shared.management))
        .hosts(hosts.clone())
        .admission(shared.admission.clone())
        .created();
    let api = Surface::new(Arc::clone(&shared.management))
        .hosts(hosts.clone())
        .admission(shared.admission.clone())
        .forms(Some(shared.pages.forms()))
        .events();
    let gate = Gate::new(Permission::MeshRead, shared.admission.clone());
    let admitted = from_fn_with_state(gate, admit);
    Router::new()
        .route("/api/echo", get(echo).post(echo))
        .route_layer(HmacAuthLayer::new(verifier).body_limit(BODY_LIMIT))
        .nest("/admin", mesh_management_axum::router(admin))
        .nest("/api", mesh_management_axum::router(api))
        .merge(pages::router().route_layer(admitted.clone()))
        .route(
            "/livez",
            get(|| async { json(200, r#"{"status":"alive"}"#) }),
        )
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics).route_layer(admitted.clone()))
        .route("/openapi.json", get(openapi))
        .route("/docs", get(docs))
        .fallback(pages::not_found.layer(admitted))
        .method_not_allowed_fallback(|| async { refuse(Problem::method_not_allowed()) })
        .layer(from_fn(limit))
        .layer(from_fn_with_state(hosts, edge))
        .layer(from_fn_with_state(shared.clone(), observe))
        .with_state(shared)
}

async fn echo(
    State(shared): State<Shared>,
    VerifiedClient(client): VerifiedClient,
    body: Bytes,
) -> impl IntoResponse {
    let echo = Echo::new(&shared.peer.name, client.client_id.as_str(), &body);
    (HEADERS, Json(echo))
}

async fn readyz(State(shared): State<Shared>) -> Response {
    let readiness = shared.peer.health.readiness().await;
    json(readiness.http_status(), readiness.body())
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    let store = shared.management.administration();
    let text = shared.peer.metrics_text(Some(store)).await;
    let policy = metrics::CONTENT_SECURITY_POLICY;
    (page_headers(metrics::CONTENT_TYPE, policy), text)
}

async fn openapi(State(shared): State<Shared>) -> Response {
    json(200, shared.documentation.json.clone())
}

async fn docs(State(shared): State<Shared>) -> impl IntoResponse {
    let policy = Documentation::CONTENT_SECURITY_POLICY;
    let page = shared.documentation.page.clone();
    (page_headers(Documentation::CONTENT_TYPE, policy), page)
}

/// Counts every request by its route's pattern.
async fn observe(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (started, method) = (Instant::now(), request.method().clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.map_or_else(|| "other".to_owned(), |route| route.as_str().to_owned());
    let (status, took) = (response.status().as_u16(), started.elapsed());
    let metrics = &shared.peer.metrics;
    metrics.request(route, method.as_str(), status, took);
    response
}
