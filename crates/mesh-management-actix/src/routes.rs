//! The routes.

use std::collections::BTreeMap;

use actix_web::http::Method as HttpMethod;
use actix_web::middleware::from_fn;
use actix_web::rt::time::sleep;
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, Route as ActixRoute};
use auth_base::clock::{Clock as _, SystemClock};
use futures_util::StreamExt as _;
use mesh_api::call::Call;
use mesh_api::credential::{Ensure, Revoke, Rotate};
use mesh_api::hash::Hash;
use mesh_api::local::LocalQuery;
use mesh_api::mesh::MeshQuery;
use mesh_api::permission::Permission;
use mesh_api::routes::{EVENTS, Method, Operation, Route};
use mesh_api::state::StateQuery;
use mesh_api::sync::{Nothing, Resync};
use mesh_api::target::Target;
use mesh_api::timeline::TimelineQuery;
use mesh_management::Surface;
use mesh_management::admission::Caller;

use crate::admit::gated;
use crate::answer::{refuse, send, stream};
use crate::edge::as_sent;
use crate::input::{At, By, Input};
use crate::limit::limit;
use crate::resource::{READ, read, resource};

/// The routes of the surface, below the path of the scope that is configured with them. A [`mesh_management::Management`] will do.
pub fn routes(surface: impl Into<Surface>) -> impl FnOnce(&mut ServiceConfig) {
    let surface = surface.into();
    move |config| {
        let mut paths: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
        for route in surface.routes() {
            paths.entry(route.path).or_default().push(route);
        }
        // Those of one path stand together, as a resource has all its methods.
        for (path, routes) in paths {
            let allowed: Vec<&str> = routes.iter().map(|route| allowed(route.method)).collect();
            let mut resource = resource(path, allowed.join(","));
            resource = resource.app_data(Data::new(surface.clone()));
            for route in routes {
                let at = At {
                    surface: surface.clone(),
                    operation: route.operation,
                };
                let route = gated(handler(route), surface.gate(route.permission));
                resource = resource.app_data(Data::new(at)).route(route);
            }
            config.service(resource.wrap(from_fn(limit)).wrap(from_fn(as_sent)));
        }
        if surface.has_events() {
            let route = gated(read().to(events), surface.gate(Permission::MeshRead));
            let events = resource(EVENTS, READ).route(route);
            let events = events.app_data(Data::new(surface));
            config.service(events.wrap(from_fn(as_sent)));
        }
    }
}

fn allowed(method: Method) -> &'static str {
    match method {
        Method::Get => READ,
        Method::Post => "POST",
        Method::Delete => "DELETE",
    }
}

fn handler(route: &Route) -> ActixRoute {
    let method = match route.method {
        Method::Get => read(),
        Method::Post => web::post(),
        Method::Delete => web::delete(),
    };
    match route.operation {
        Operation::Ensure => method.to(ensure),
        Operation::Rotate => method.to(rotate),
        Operation::Revoke => method.to(revoke),
        Operation::Sync => method.to(sync),
        Operation::Resync => method.to(resync),
        Operation::State => method.to(state),
        Operation::PutTarget => method.to(put_target),
        Operation::DeleteTarget => method.to(delete_target),
        Operation::CallTarget => method.to(call_target),
        Operation::Hash => method.to(hash),
        Operation::LocalClients => method.to(local_clients),
        Operation::Mesh => method.to(mesh),
        Operation::MeshHealth => method.to(mesh_health),
        Operation::Timeline => method.to(timeline),
        Operation::StopPeer => method.to(stop_peer),
        Operation::StartPeer => method.to(start_peer),
    }
}

/// The part of the path that names a peer; what cannot be decoded names none.
type Queue = Option<Path<String>>;

fn name(queue: Queue) -> String {
    queue.map(Path::into_inner).unwrap_or_default()
}

async fn ensure(
    on: Data<Surface>,
    By(origin): By,
    Input(ensure, reply): Input<Ensure>,
) -> HttpResponse {
    send(reply.answer(on.management().ensure(ensure, origin).await))
}

async fn rotate(
    on: Data<Surface>,
    By(origin): By,
    Input(rotate, reply): Input<Rotate>,
) -> HttpResponse {
    send(reply.answer(on.management().rotate(rotate, origin).await))
}

async fn revoke(
    on: Data<Surface>,
    By(origin): By,
    Input(revoke, reply): Input<Revoke>,
) -> HttpResponse {
    send(reply.answer(on.management().revoke(revoke, origin).await))
}

async fn sync(
    on: Data<Surface>,
    By(origin): By,
    Input(Nothing {}, reply): Input<Nothing>,
) -> HttpResponse {
    send(reply.answer(on.management().sync(&origin).await))
}

async fn resync(
    on: Data<Surface>,
    By(origin): By,
    Input(resync, reply): Input<Resync>,
) -> HttpResponse {
    send(reply.answer(on.management().resync(resync, origin).await))
}

async fn state(on: Data<Surface>, Input(query, reply): Input<StateQuery>) -> HttpResponse {
    send(reply.answer(on.management().state(query).await))
}

async fn put_target(
    on: Data<Surface>,
    By(origin): By,
    Input(target, reply): Input<Target>,
) -> HttpResponse {
    send(reply.answer(on.management().put_target(target, &origin).await))
}

async fn delete_target(
    on: Data<Surface>,
    By(origin): By,
    queue: Queue,
    Input(Nothing {}, reply): Input<Nothing>,
) -> HttpResponse {
    send(reply.answer(on.management().delete_target(&name(queue), &origin).await))
}

async fn call_target(on: Data<Surface>, Input(call, reply): Input<Call>) -> HttpResponse {
    send(reply.answer(on.management().call_target(call).await))
}

async fn hash(on: Data<Surface>, Input(hash, reply): Input<Hash>) -> HttpResponse {
    send(reply.answer(on.management().hash(hash)))
}

async fn local_clients(on: Data<Surface>, Input(query, reply): Input<LocalQuery>) -> HttpResponse {
    send(reply.list(on.management().local_clients(query).await))
}

async fn mesh(on: Data<Surface>, Input(query, reply): Input<MeshQuery>) -> HttpResponse {
    send(reply.answer(on.management().mesh_page(query).await))
}

async fn mesh_health(on: Data<Surface>, Input(Nothing {}, reply): Input<Nothing>) -> HttpResponse {
    send(reply.answer(on.management().mesh_health().await))
}

async fn timeline(on: Data<Surface>, Input(query, reply): Input<TimelineQuery>) -> HttpResponse {
    send(reply.answer(on.management().timeline(query).await))
}

async fn stop_peer(
    on: Data<Surface>,
    queue: Queue,
    Input(Nothing {}, reply): Input<Nothing>,
) -> HttpResponse {
    send(reply.answer(on.management().control(&name(queue), false).await))
}

async fn start_peer(
    on: Data<Surface>,
    queue: Queue,
    Input(Nothing {}, reply): Input<Nothing>,
) -> HttpResponse {
    send(reply.answer(on.management().control(&name(queue), true).await))
}

async fn events(on: Data<Surface>, request: HttpRequest) -> HttpResponse {
    let caller = request.extensions().get::<Caller>().cloned();
    let left = caller.and_then(|caller| caller.left(SystemClock.now_ms()));
    match (on.management().events(), left) {
        // actix would wait for the end of a body that it does not send.
        (Ok(_), _) if request.method() == HttpMethod::HEAD => {
            stream(Box::pin(futures_util::stream::empty()))
        }
        (Ok(events), Some(left)) => stream(Box::pin(events.take_until(sleep(left)))),
        (Ok(events), None) => stream(events),
        (Err(error), _) => refuse(error.into()),
    }
}
