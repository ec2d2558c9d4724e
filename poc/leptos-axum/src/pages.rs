//! The dashboard's pages: each is drawn from one value, on the server.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRef, Path, RawQuery, State};
use axum::http::header::{ACCEPT, ACCEPT_ENCODING};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use dashboard_pages::pages::{Page, Pages, Visit};
use dashboard_pages::reply::Reply;
use mesh_api::problem::Problem;
use mesh_management::admission::Caller;
use mesh_management::form::accept::wants_html;
use mesh_management_axum::answer::refuse;

/// Who was let in, where somebody was asked.
type LetIn = Option<Extension<Caller>>;

/// The routes of the pages, and of the files that they load.
pub(crate) fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Arc<Pages>: FromRef<S>,
{
    let page = |page| {
        get(
            async move |State(pages): State<Arc<Pages>>,
                        RawQuery(query): RawQuery,
                        caller: LetIn| {
                send(pages.answer(page, visit(None, query, caller)).await)
            },
        )
    };
    Router::new()
        .route("/", page(Page::Matrix))
        .route("/clients/{track}/{clientId}", get(client))
        .route("/targets", page(Page::Targets))
        .route("/health", page(Page::Health))
        .route("/pkg/{name}", get(asset))
}

async fn client(
    State(pages): State<Arc<Pages>>,
    client: Result<Path<(String, String)>, PathRejection>,
    method: Method,
    RawQuery(query): RawQuery,
    caller: LetIn,
    headers: HeaderMap,
) -> Response {
    let client = client.ok().map(|Path(client)| client);
    // To axum nothing is a name too, but not at the end of a path.
    if client.as_ref().is_some_and(|(track, _)| track.is_empty()) {
        return not_found(State(pages), method, RawQuery(query), caller, headers).await;
    }
    send(
        pages
            .answer(Page::Client, visit(client, query, caller))
            .await,
    )
}

/// A file that pages load.
async fn asset(
    State(pages): State<Arc<Pages>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|it| it.to_str().ok());
    send(pages.file(name, accepted.map(str::to_owned)).await)
}

/// A page for whoever reads pages, a problem for everybody else.
pub(crate) async fn not_found(
    State(pages): State<Arc<Pages>>,
    method: Method,
    RawQuery(query): RawQuery,
    caller: LetIn,
    headers: HeaderMap,
) -> Response {
    let accept = headers.get(ACCEPT).and_then(|it| it.to_str().ok());
    if method != Method::GET || !wants_html(accept) {
        return refuse(Problem::no_route());
    }
    send(
        pages
            .answer(Page::NotFound, visit(None, query, caller))
            .await,
    )
}

fn visit(client: Option<(String, String)>, query: Option<String>, caller: LetIn) -> Visit {
    Visit {
        client,
        query,
        caller: caller.map(|Extension(caller)| caller),
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
