//! The pages, and the files that they load.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use kit::pages::bundle::PREFIX;
use kit::pages::reply::Reply;
use kit::pages::{PATHS, Page, Visit, file};
use kit::parts::Context;
use mesh_api::problem::Problem;
use mesh_management::form::accept::wants_html;
use mesh_management::guard::HeaderText;
use mesh_management_actix::answer::{Headers, refuse};

use crate::Shared;
use crate::routes::{read, resource};

/// Adds the routes of the pages; none without pages.
pub(crate) fn configure(config: &mut ServiceConfig, context: &Shared) {
    if context.pages.is_none() {
        return;
    }
    for (path, page) in PATHS {
        let visited = move |context: Data<Context>,
                            client: Option<Path<(String, String)>>,
                            request: HttpRequest| async move {
            visit(&context, *page, client.map(Path::into_inner), &request).await
        };
        config.service(resource(path).route(read().to(visited)));
    }
    let asset = |context: Data<Context>, name: Path<String>, request: HttpRequest| async move {
        let accepted = Headers(request.headers())
            .text("accept-encoding")
            .map(str::to_owned);
        send(file(context.into_inner(), name.into_inner(), accepted).await)
    };
    config.service(resource(&format!("{PREFIX}{{name}}")).route(read().to(asset)));
}

/// A page for whoever reads pages, a problem for everybody else.
pub(crate) async fn not_found(context: Data<Context>, request: HttpRequest) -> HttpResponse {
    if request.method() == "GET" && wants_html(Headers(request.headers()).text("accept")) {
        return visit(&context, Page::NotFound, None, &request).await;
    }
    refuse(Problem::no_route())
}

async fn visit(
    context: &Context,
    page: Page,
    client: Option<(String, String)>,
    request: &HttpRequest,
) -> HttpResponse {
    let query = request.uri().query().map(str::to_owned);
    match &context.pages {
        Some(pages) => send(pages.answer(context, page, &Visit { client, query }).await),
        None => refuse(Problem::no_route()),
    }
}

fn send(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for header in reply.headers {
        response.insert_header(header);
    }
    response.body(reply.body)
}
