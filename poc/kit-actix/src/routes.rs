//! The routes of a peer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes, Data, Path, Payload, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse, Resource, Route as ActixRoute, guard as is};
use hmac_auth_actix::{HmacAuth, VerifiedClient};
use kit::forms::{Answer, Post};
use kit::metrics::CONTENT_TYPE;
use kit::openapi::page;
use kit::openapi::schema::Echo;
use kit::pages::reply::Reply;
use kit::parts::Context;
use kit::problem::{BODY_LIMIT, Problem, REQUEST_LIMIT};
use kit::surface::Input;
use kit::surface::guard::HeaderText;
use kit::surface::routes::{EVENTS, Method, Prefix, Route};
use tokio::time::timeout;

use crate::answer::{Headers, refuse, respond, send, stream};
use crate::{Shared, body, pages};

/// Adds all routes of the peer.
pub(crate) fn configure(config: &mut ServiceConfig, context: &Shared) {
    config.app_data(Data::from(Arc::clone(context)));
    pages::configure(config, context);
    for ((prefix, path), routes) in by_path(context) {
        let path = format!("{}{path}", prefix.as_str());
        let add = |resource: Resource, route| resource.route(managed(prefix, route));
        config.service(routes.into_iter().fold(resource(&path), add));
    }
    let signed = HmacAuth::new(context.verifier.clone()).body_limit(BODY_LIMIT);
    config
        .service(
            resource("/api/echo")
                .wrap(signed)
                .route(read().to(echo))
                .route(web::post().to(echo)),
        )
        .service(resource(EVENTS).route(web::get().to(events)))
        .service(resource("/livez").route(read().to(livez)))
        .service(resource("/readyz").route(read().to(readyz)))
        .service(resource("/metrics").route(read().to(metrics)))
        .service(resource("/openapi.json").route(read().to(openapi)))
        .service(resource("/docs").route(read().to(docs)))
        .default_service(web::to(pages::not_found));
}

type Paths = BTreeMap<(Prefix, &'static str), Vec<&'static Route>>;

/// The management routes: those of one path stand together, as a resource has all its methods.
fn by_path(context: &Context) -> Paths {
    let mut paths = Paths::new();
    for (prefix, route) in context.routes() {
        paths.entry((prefix, route.path)).or_default().push(route);
    }
    paths
}

pub(crate) fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::to(wrong_method))
}

/// GET, and HEAD, which is answered without a body.
pub(crate) fn read() -> ActixRoute {
    web::route().guard(is::Any(is::Get()).or(is::Head()))
}

/// One route of the management surface.
fn managed(prefix: Prefix, route: &'static Route) -> ActixRoute {
    let method = match route.method {
        Method::Get => read(),
        Method::Post => web::post(),
        Method::Delete => web::delete(),
    };
    method.to(
        move |context: Data<Context>,
              name: Option<Path<String>>,
              request: HttpRequest,
              payload: Payload| async move {
            let name = name.map(Path::into_inner);
            match manage(&context, prefix, route, name.as_deref(), &request, payload).await {
                Ok(Answer::Json { status, body }) => respond(status, body),
                Ok(Answer::Redirect { location }) => send(Reply::see_other(location)),
                Err(problem) => refuse(&problem),
            }
        },
    )
}

async fn manage(
    context: &Context,
    prefix: Prefix,
    route: &'static Route,
    name: Option<&str>,
    request: &HttpRequest,
    payload: Payload,
) -> Result<Answer, Problem> {
    let Some(surface) = &context.surface else {
        return Err(Problem::no_route());
    };
    let (forms, headers) = (context.forms(), Headers(request.headers()));
    let encoding = forms.check(prefix, route, request.method().as_str(), &headers)?;
    let body = body::read(request.headers(), payload).await?;
    let input = Input {
        name,
        query: request.uri().query(),
        body: &body,
    };
    let post = Post {
        prefix,
        route,
        encoding,
        accept: headers.text("accept"),
        input,
    };
    Ok(forms.answer(surface, post).await)
}

async fn echo(
    context: Data<Context>,
    VerifiedClient(client): VerifiedClient,
    body: Bytes,
) -> HttpResponse {
    let echo = Echo::new(&context.peer, client.client_id.as_str(), &body);
    match serde_json::to_string(&echo) {
        Ok(answer) => respond(200, answer),
        Err(_) => refuse(&Problem::internal()),
    }
}

async fn events(context: Data<Context>) -> HttpResponse {
    match context.events() {
        Some(events) => stream(events),
        None => refuse(&Problem::no_route()),
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
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, CONTENT_TYPE))
        .body(context.metrics_text().await)
}

async fn openapi(context: Data<Context>) -> HttpResponse {
    respond(200, context.openapi.clone())
}

async fn docs(context: Data<Context>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            page::CONTENT_SECURITY_POLICY,
        ))
        .body(context.page.clone())
}

async fn wrong_method() -> HttpResponse {
    refuse(&Problem::method_not_allowed())
}

/// Bounds how long a request's answer takes to begin, and counts every request by its route's pattern.
pub(crate) async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let context = request.app_data::<Data<Context>>().cloned();
    let method = method_name(request.method().as_str());
    let route = request
        .resource_map()
        .match_pattern(request.path())
        .unwrap_or_else(|| "other".to_owned());
    let answer = timeout(REQUEST_LIMIT, next.call(request))
        .await
        .unwrap_or_else(|_| {
            let refused = refuse(&Problem::timeout());
            Err(InternalError::from_response("no answer in time", refused).into())
        });
    if let Some(context) = context {
        let status = match &answer {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        context
            .metrics
            .request(route, method, status.as_u16(), started.elapsed());
    }
    answer
}

fn method_name(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::dev::Service as _;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_begin_is_a_problem() {
        let hanging = web::get().to(std::future::pending::<HttpResponse>);
        let app = App::new()
            .wrap(from_fn(observe))
            .service(resource("/").route(hanging));
        let app = init_service(app).await;
        let error = app
            .call(TestRequest::get().uri("/").to_request())
            .await
            .err()
            .unwrap();
        let answer = error.error_response();
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.headers().get("content-type").unwrap()
            ),
            (503, &"application/json".parse().unwrap())
        );
        let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap();
        assert_eq!(body, Problem::timeout().body());
    }
}
