//! The routes of a peer.

use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{Error, HttpResponse, Resource, Route as ActixRoute, guard as is};
use hmac_auth_actix::{HmacAuth, VerifiedClient};
use kit::metrics::CONTENT_TYPE;
use kit::openapi::schema::Echo;
use kit::parts::Context;
use mesh_api::openapi::page;
use mesh_api::problem::{BODY_LIMIT, Problem};
use mesh_management_actix::answer::{json, refuse};
use mesh_management_actix::limit::limit;

use crate::{Shared, pages};

/// Adds all routes of the peer.
pub(crate) fn configure(config: &mut ServiceConfig, context: &Shared) {
    config.app_data(Data::from(Arc::clone(context)));
    pages::configure(config, context);
    let signed = HmacAuth::new(context.verifier.clone()).body_limit(BODY_LIMIT);
    config
        .service(
            resource("/api/echo")
                .wrap(signed)
                .route(read().to(echo))
                .route(web::post().to(echo)),
        )
        .service(resource("/livez").route(read().to(livez)))
        .service(resource("/readyz").route(read().to(readyz)))
        .service(resource("/metrics").route(read().to(metrics)))
        .service(resource("/openapi.json").route(read().to(openapi)))
        .service(resource("/docs").route(read().to(docs)))
        .default_service(web::to(pages::not_found));
    // After the echo, which is below the path of one of them.
    for (path, surface) in context.surfaces() {
        config.service(web::scope(path).configure(mesh_management_actix::routes(surface)));
    }
}

pub(crate) fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::to(wrong_method))
}

/// GET, and HEAD, which is answered without a body.
pub(crate) fn read() -> ActixRoute {
    web::route().guard(is::Any(is::Get()).or(is::Head()))
}

async fn echo(
    context: Data<Context>,
    VerifiedClient(client): VerifiedClient,
    body: Bytes,
) -> HttpResponse {
    let echo = Echo::new(&context.peer, client.client_id.as_str(), &body);
    match serde_json::to_string(&echo) {
        Ok(answer) => json(200).body(answer),
        Err(_) => refuse(Problem::internal()),
    }
}

async fn livez() -> HttpResponse {
    json(200).body(r#"{"status":"alive"}"#)
}

async fn readyz(context: Data<Context>) -> HttpResponse {
    let readiness = context.health.readiness().await;
    json(readiness.http_status()).body(readiness.body())
}

async fn metrics(context: Data<Context>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, CONTENT_TYPE))
        .body(context.metrics_text().await)
}

async fn openapi(context: Data<Context>) -> HttpResponse {
    json(200).body(context.openapi.clone())
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
    refuse(Problem::method_not_allowed())
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
    let answer = limit(request, next).await;
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
