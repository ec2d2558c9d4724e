//! The pages, and the files that they load.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use kit::forms::accept::wants_html;
use kit::pages::bundle::PREFIX;
use kit::pages::{PATHS, Page, Visit, file};
use kit::parts::Context;
use kit::problem::Problem;
use kit::surface::guard::HeaderText;

use crate::Shared;
use crate::answer::{Headers, refuse, send};
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
    refuse(&Problem::no_route())
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
        None => refuse(&Problem::no_route()),
    }
}
