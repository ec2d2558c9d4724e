//! The dashboard's pages: each is drawn from one value, on the server.

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use dashboard_pages::pages::{Page, Pages, Visit};
use dashboard_pages::reply::Reply;
use mesh_api::problem::Problem;
use mesh_management::Gate;
use mesh_management::admission::Caller;
use mesh_management::form::accept::wants_html;
use mesh_management_actix::admit::gated;
use mesh_management_actix::answer::refuse;
use mesh_management_actix::resource::{READ, read, resource};

/// Adds the routes of the pages, and of the files that they load, with `gate` before them.
pub(crate) fn routes(config: &mut ServiceConfig, gate: &Gate) {
    let gated = |route| gated(route, gate.clone());
    let page = |path, page| {
        let visited = move |pages: Data<Pages>, request: HttpRequest| async move {
            visit(&pages, page, None, &request).await
        };
        resource(path, READ).route(gated(read().to(visited)))
    };
    config
        .service(page("/", Page::Matrix))
        .service(resource("/clients/{track}/{clientId}", READ).route(gated(read().to(client))))
        .service(page("/targets", Page::Targets))
        .service(page("/health", Page::Health))
        .service(resource("/pkg/{name}", READ).route(gated(read().to(asset))));
}

async fn client(
    pages: Data<Pages>,
    client: Option<Path<(String, String)>>,
    request: HttpRequest,
) -> HttpResponse {
    let client = client.map(Path::into_inner);
    visit(&pages, Page::Client, client, &request).await
}

/// A file that pages load.
async fn asset(pages: Data<Pages>, name: Path<String>, request: HttpRequest) -> HttpResponse {
    let accepted = header(&request, &ACCEPT_ENCODING).map(str::to_owned);
    send(pages.file(name.into_inner(), accepted).await)
}

/// A page for whoever reads pages, a problem for everybody else.
pub(crate) async fn not_found(pages: Data<Pages>, request: HttpRequest) -> HttpResponse {
    if request.method() != "GET" || !wants_html(header(&request, &ACCEPT)) {
        return refuse(Problem::no_route());
    }
    visit(&pages, Page::NotFound, None, &request).await
}

async fn visit(
    pages: &Pages,
    page: Page,
    client: Option<(String, String)>,
    request: &HttpRequest,
) -> HttpResponse {
    let visit = Visit {
        client,
        query: request.uri().query().map(str::to_owned),
        caller: request.extensions().get::<Caller>().cloned(),
    };
    send(pages.answer(page, visit).await)
}

fn header<'a>(request: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

fn send(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for header in reply.headers {
        response.insert_header(header);
    }
    response.body(reply.body)
}
