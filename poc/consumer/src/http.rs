//! actix-web in front of the peer: routes and answers are translated here, nothing is decided.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, Error, HttpResponse, HttpServer};
use hmac_auth::verify::Verifier;
use hmac_auth_actix::{HmacAuth, VerifiedClient};
use hmac_propagation::propagator::{Mode, Propagator};
use kit::health::Health;
use kit::metrics::{CONTENT_TYPE, Metrics};
use kit::openapi::schema::Echo;
use kit::openapi::{document, page};
use kit::problem::{BODY_LIMIT, Problem};
use kit::shutdown::HTTP_LIMIT;

/// Threads that serve; a peer is small.
const WORKERS: usize = 2;

/// What handlers share.
pub struct Context {
    pub(crate) peer: String,
    pub(crate) propagator: Propagator,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
    verifier: Verifier,
    openapi: Bytes,
    page: String,
}

impl Context {
    /// Collects it; the documentation is made once.
    pub fn new(
        peer: &str,
        propagator: Propagator,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        verifier: Verifier,
    ) -> Self {
        let document = document(peer, Mode::ReceiveOnly);
        Self {
            peer: peer.to_owned(),
            page: page::render(&document),
            openapi: serde_json::json!(document).to_string().into(),
            propagator,
            health,
            metrics,
            verifier,
        }
    }
}

/// Makes the server; it serves once it is awaited and stops when its handle says so.
///
/// # Errors
/// When the listener cannot be used.
pub fn server(listener: TcpListener, context: Arc<Context>) -> io::Result<Server> {
    let app = move || {
        let get = |path: &str| web::resource(path).default_service(web::to(wrong_method));
        let signed = HmacAuth::new(context.verifier.clone()).body_limit(BODY_LIMIT);
        App::new()
            .app_data(Data::from(Arc::clone(&context)))
            .wrap(from_fn(observe))
            .service(get("/api/echo").wrap(signed).route(web::get().to(echo)).route(web::post().to(echo)))
            .service(get("/livez").route(web::get().to(livez)))
            .service(get("/readyz").route(web::get().to(readyz)))
            .service(get("/metrics").route(web::get().to(metrics)))
            .service(get("/openapi.json").route(web::get().to(openapi)))
            .service(get("/docs").route(web::get().to(docs)))
            .default_service(web::to(no_route))
    };
    let server = HttpServer::new(app)
        .workers(WORKERS)
        .tcp_nodelay(true)
        .disable_signals()
        .shutdown_timeout(HTTP_LIMIT.as_secs())
        .listen(listener)?
        .run();
    Ok(server)
}

async fn echo(context: Data<Context>, VerifiedClient(client): VerifiedClient, body: Bytes) -> HttpResponse {
    let echo = Echo::new(&context.peer, client.client_id.as_str(), &body);
    match serde_json::to_string(&echo) {
        Ok(answer) => respond(200, answer),
        Err(_) => refuse(&Problem::internal()),
    }
}

async fn livez() -> HttpResponse {
    respond(200, r#"{"status":"alive"}"#)
}

async fn readyz(context: Data<Context>) -> HttpResponse {
    let readiness = context.health.readiness().await;
    respond(readiness.http_status(), readiness.body())
}

async fn metrics(context: Data<Context>) -> HttpResponse {
    let readiness = context.health.readiness().await;
    let text = context.metrics.render(&context.propagator, &readiness);
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(text)
}

async fn openapi(context: Data<Context>) -> HttpResponse {
    respond(200, context.openapi.clone())
}

async fn docs(context: Data<Context>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY))
        .body(context.page.clone())
}

async fn no_route() -> HttpResponse {
    refuse(&Problem::no_route())
}

async fn wrong_method() -> HttpResponse {
    refuse(&Problem::method_not_allowed())
}

/// Counts every request by its route's pattern.
async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let context = request.app_data::<Data<Context>>().cloned();
    let method = method_name(request.method().as_str());
    let response = next.call(request).await?;
    if let Some(context) = context {
        let route = response.request().match_pattern().unwrap_or_else(|| "other".to_owned());
        let status = response.status().as_u16();
        context.metrics.request(route, method, status, started.elapsed());
    }
    Ok(response)
}

fn method_name(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "POST" => "POST",
        "HEAD" => "HEAD",
        _ => "other",
    }
}

fn refuse(problem: &Problem) -> HttpResponse {
    respond(problem.status, problem.body())
}

fn respond(status: u16, body: impl MessageBody + 'static) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(body)
}
