//! The pages, and the files that they load.

use std::collections::HashMap;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use kit::pages::bundle::PREFIX;
use kit::pages::reply::Reply;
use kit::pages::{PATHS, Page, Visit, file};
use mesh_api::problem::Problem;
use mesh_management::form::accept::wants_html;
use mesh_management::guard::HeaderText;
use mesh_management_axum::answer::{Headers, refuse};

use crate::Shared;

/// The routes of the pages; none without pages.
pub(crate) fn router(context: &Shared) -> Router<Shared> {
    let mut router = Router::new();
    if context.pages.is_none() {
        return router;
    }
    for (path, page) in PATHS {
        let visited =
            move |State(context): State<Shared>,
                  RawQuery(query): RawQuery,
                  parameters: Option<Path<HashMap<String, String>>>| async move {
                let client = parameters
                    .and_then(|Path(mut all)| all.remove("track").zip(all.remove("clientId")));
                visit(&context, *page, Visit { client, query }).await
            };
        router = router.route(path, get(visited));
    }
    let asset = |State(context): State<Shared>, Path(name): Path<String>, headers: HeaderMap| async move {
        let accepted = Headers(&headers).text("accept-encoding").map(str::to_owned);
        send(file(context, name, accepted).await)
    };
    router.route(&format!("{PREFIX}{{name}}"), get(asset))
}

/// A page for whoever reads pages, a problem for everybody else.
pub(crate) async fn not_found(
    State(context): State<Shared>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if method == Method::GET && wants_html(Headers(&headers).text("accept")) {
        return visit(
            &context,
            Page::NotFound,
            Visit {
                client: None,
                query,
            },
        )
        .await;
    }
    refuse(Problem::no_route())
}

async fn visit(context: &Shared, page: Page, visit: Visit) -> Response {
    match &context.pages {
        Some(pages) => send(pages.answer(context, page, &visit).await),
        None => refuse(Problem::no_route()),
    }
}

fn send(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
