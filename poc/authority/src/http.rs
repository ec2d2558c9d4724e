//! axum in front of the peer: routes, bodies and answers are translated here, nothing is decided.

mod body;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{MatchedPath, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method as HttpMethod, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on};
use hmac_auth::verify::Verifier;
use hmac_auth_axum::{HmacAuthLayer, VerifiedClient};
use hmac_propagation::propagator::Mode;
use kit::health::Health;
use kit::metrics::{CONTENT_TYPE, Metrics};
use kit::openapi::schema::Echo;
use kit::openapi::{document, page};
use kit::problem::{BODY_LIMIT, Problem};
use kit::surface::guard::{self, HeaderText};
use kit::surface::routes::{Method, Operation, Prefix, ROUTES, Route};
use kit::surface::{Input, Surface};
use serde_json::Value;
use tower_http::timeout::TimeoutLayer;

/// A request is answered within this time.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// What handlers share.
pub struct Context {
    pub(crate) surface: Surface,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
    verifier: Verifier,
    openapi: Bytes,
    page: String,
}

impl Context {
    /// Collects it; the documentation is made once.
    pub fn new(surface: Surface, health: Arc<Health>, metrics: Arc<Metrics>, verifier: Verifier) -> Self {
        let document = document(surface.peer.as_str(), Mode::Full);
        Self {
            page: page::render(&document),
            openapi: serde_json::json!(document).to_string().into(),
            surface,
            health,
            metrics,
            verifier,
        }
    }
}

/// All routes of the peer.
pub fn router(context: Arc<Context>) -> Router {
    let mut router = Router::new();
    for prefix in Prefix::ALL {
        for route in ROUTES {
            router = router.route(&format!("{}{}", prefix.as_str(), route.path), managed(prefix, route));
        }
    }
    let signed = HmacAuthLayer::new(context.verifier.clone()).body_limit(BODY_LIMIT);
    let echo_routes = Router::new().route("/api/echo", get(echo).post(echo)).route_layer(signed);
    router
        .merge(echo_routes)
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi))
        .route("/docs", get(docs))
        .fallback(|| async { refuse(&Problem::no_route()) })
        .method_not_allowed_fallback(|| async { refuse(&Problem::method_not_allowed()) })
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_LIMIT))
        .layer(from_fn_with_state(Arc::clone(&context), observe))
        .with_state(context)
}

/// One route of the management surface.
fn managed(prefix: Prefix, route: &'static Route) -> axum::routing::MethodRouter<Arc<Context>> {
    let filter = match route.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Delete => MethodFilter::DELETE,
    };
    let handler = move |State(context): State<Arc<Context>>,
                        name: Result<Path<String>, PathRejection>,
                        request: Request| async move {
        let name = name.ok().map(|Path(name)| name);
        match manage(&context, route.operation, name.as_deref(), request).await {
            Ok(answer) => respond(prefix.status(route.method), answer.to_string()),
            Err(problem) => refuse(&problem),
        }
    };
    on(filter, handler)
}

async fn manage(
    context: &Context,
    operation: Operation,
    name: Option<&str>,
    request: Request,
) -> Result<Value, Problem> {
    let (head, body) = request.into_parts();
    guard::check(head.method.as_str(), &Headers(&head.headers))?;
    let body = body::read(&head.headers, body).await?;
    let input = Input { name, query: head.uri.query(), body: &body };
    context.surface.answer(operation, input).await
}

async fn echo(
    State(context): State<Arc<Context>>,
    VerifiedClient(client): VerifiedClient,
    body: Bytes,
) -> Response {
    let echo = Echo::new(context.surface.peer.as_str(), client.client_id.as_str(), &body);
    match serde_json::to_string(&echo) {
        Ok(answer) => respond(200, answer),
        Err(_) => refuse(&Problem::internal()),
    }
}

async fn livez() -> Response {
    respond(200, r#"{"status":"alive"}"#)
}

async fn readyz(State(context): State<Arc<Context>>) -> Response {
    let readiness = context.health.readiness().await;
    respond(readiness.http_status(), readiness.body())
}

async fn metrics(State(context): State<Arc<Context>>) -> Response {
    let readiness = context.health.readiness().await;
    let text = context.metrics.render(&context.surface.propagator, &readiness);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

async fn openapi(State(context): State<Arc<Context>>) -> Response {
    respond(200, context.openapi.clone())
}

async fn docs(State(context): State<Arc<Context>>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
    ];
    (headers, context.page.clone()).into_response()
}

/// Counts every request by its route's pattern.
async fn observe(State(context): State<Arc<Context>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    match route {
        Some(route) => {
            let route = route.as_str().to_owned();
            context.metrics.request(route, method, status, started.elapsed());
        }
        None => context.metrics.request("other", method, status, started.elapsed()),
    }
    response
}

fn method_name(method: &HttpMethod) -> &'static str {
    match *method {
        HttpMethod::GET => "GET",
        HttpMethod::POST => "POST",
        HttpMethod::DELETE => "DELETE",
        HttpMethod::HEAD => "HEAD",
        _ => "other",
    }
}

fn refuse(problem: &Problem) -> Response {
    respond(problem.status, problem.body())
}

fn respond(status: u16, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

struct Headers<'a>(&'a HeaderMap);

impl HeaderText for Headers<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }
}
