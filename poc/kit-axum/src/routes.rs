//! The routes of a peer.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{MatchedPath, Path, Request, State};
use axum::http::{Method as HttpMethod, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on};
use hmac_auth_axum::{HmacAuthLayer, VerifiedClient};
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

/// All routes of the peer.
pub(crate) fn router(context: Shared) -> Router {
    let mut router = pages::router(&context);
    for (prefix, route) in context.routes() {
        router = router.route(
            &format!("{}{}", prefix.as_str(), route.path),
            managed(prefix, route),
        );
    }
    let signed = HmacAuthLayer::new(context.verifier.clone()).body_limit(BODY_LIMIT);
    let echo_routes = Router::new()
        .route("/api/echo", get(echo).post(echo))
        .route_layer(signed);
    router
        .merge(echo_routes)
        .route(EVENTS, get(events))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi))
        .route("/docs", get(docs))
        .fallback(pages::not_found)
        .method_not_allowed_fallback(|| async { refuse(&Problem::method_not_allowed()) })
        .layer(from_fn(limit))
        .layer(from_fn_with_state(Arc::clone(&context), observe))
        .with_state(context)
}

/// One route of the management surface.
fn managed(prefix: Prefix, route: &'static Route) -> axum::routing::MethodRouter<Shared> {
    let filter = match route.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Delete => MethodFilter::DELETE,
    };
    let handler = move |State(context): State<Shared>,
                        name: Result<Path<String>, PathRejection>,
                        request: Request| async move {
        let name = name.ok().map(|Path(name)| name);
        match manage(&context, prefix, route, name.as_deref(), request).await {
            Ok(Answer::Json { status, body }) => respond(status, body),
            Ok(Answer::Redirect { location }) => send(Reply::see_other(location)),
            Err(problem) => refuse(&problem),
        }
    };
    on(filter, handler)
}

async fn manage(
    context: &Context,
    prefix: Prefix,
    route: &'static Route,
    name: Option<&str>,
    request: Request,
) -> Result<Answer, Problem> {
    let Some(surface) = &context.surface else {
        return Err(Problem::no_route());
    };
    let (head, body) = request.into_parts();
    let (forms, headers) = (context.forms(), Headers(&head.headers));
    let encoding = forms.check(prefix, route, head.method.as_str(), &headers)?;
    let body = body::read(&head.headers, body).await?;
    let input = Input {
        name,
        query: head.uri.query(),
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
    State(context): State<Shared>,
    VerifiedClient(client): VerifiedClient,
    body: Bytes,
) -> Response {
    let echo = Echo::new(&context.peer, client.client_id.as_str(), &body);
    match serde_json::to_string(&echo) {
        Ok(answer) => respond(200, answer),
        Err(_) => refuse(&Problem::internal()),
    }
}

async fn events(State(context): State<Shared>) -> Response {
    match context.events() {
        Some(events) => stream(events),
        None => refuse(&Problem::no_route()),
    }
}

async fn livez() -> Response {
    respond(200, r#"{"status":"alive"}"#)
}

async fn readyz(State(context): State<Shared>) -> Response {
    let readiness = context.health.readiness().await;
    respond(readiness.http_status(), readiness.body())
}

async fn metrics(State(context): State<Shared>) -> Response {
    (
        [(header::CONTENT_TYPE, CONTENT_TYPE)],
        context.metrics_text().await,
    )
        .into_response()
}

async fn openapi(State(context): State<Shared>) -> Response {
    respond(200, context.openapi.clone())
}

async fn docs(State(context): State<Shared>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            page::CONTENT_SECURITY_POLICY,
        ),
    ];
    (headers, context.page.clone()).into_response()
}

/// Bounds how long a request's answer takes to begin.
async fn limit(request: Request, next: Next) -> Response {
    timeout(REQUEST_LIMIT, next.run(request))
        .await
        .unwrap_or_else(|_| refuse(&Problem::timeout()))
}

/// Counts every request by its route's pattern.
async fn observe(State(context): State<Shared>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    match route {
        Some(route) => {
            let route = route.as_str().to_owned();
            context
                .metrics
                .request(route, method, status, started.elapsed());
        }
        None => context
            .metrics
            .request("other", method, status, started.elapsed()),
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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_begin_is_a_problem() {
        let hanging = get(std::future::pending::<Response>);
        let router = Router::<()>::new()
            .route("/", hanging)
            .layer(from_fn(limit));
        let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (503, &"application/json".parse().unwrap())
        );
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, Problem::timeout().body());
    }
}
