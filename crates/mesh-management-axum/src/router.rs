//! The routes.

use auth_base::clock::{Clock as _, SystemClock};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, get, on};
use axum::{Extension, Router};
use futures_util::StreamExt as _;
use mesh_api::call::Call;
use mesh_api::credential::{Ensure, Revoke, Rotate};
use mesh_api::hash::Hash;
use mesh_api::local::LocalQuery;
use mesh_api::mesh::MeshQuery;
use mesh_api::permission::Permission;
use mesh_api::problem::Problem;
use mesh_api::routes::{EVENTS, Method, Operation, Route};
use mesh_api::state::StateQuery;
use mesh_api::sync::{Nothing, Resync};
use mesh_api::target::Target;
use mesh_api::timeline::TimelineQuery;
use mesh_management::Surface;
use mesh_management::admission::Caller;
use tokio::time::sleep;

use crate::admit::admit;
use crate::answer::{refuse, send, stream};
use crate::input::{At, By, Input};
use crate::limit::limit;

/// The routes of the surface, below the path at which the router is nested. A [`mesh_management::Management`] will do. The state
/// of the application is not used.
pub fn router<S: Clone + Send + Sync + 'static>(surface: impl Into<Surface>) -> Router<S> {
    let surface = surface.into();
    let mut router = Router::new();
    for route in surface.routes() {
        let at = At {
            surface: surface.clone(),
            operation: route.operation,
        };
        let gate = surface.gate(route.permission);
        let admitted = handler(route).route_layer(from_fn_with_state(gate, admit));
        router = router.route(route.path, admitted.with_state(at));
    }
    if surface.has_events() {
        let gate = surface.gate(Permission::MeshRead);
        let admitted = get(events).route_layer(from_fn_with_state(gate, admit));
        router = router.route(EVENTS, admitted.with_state(surface));
    }
    router
        .method_not_allowed_fallback(|| async { refuse(Problem::method_not_allowed()) })
        .layer(from_fn(limit))
}

fn handler(route: &Route) -> MethodRouter<At> {
    let method = match route.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Delete => MethodFilter::DELETE,
    };
    match route.operation {
        Operation::Ensure => on(method, ensure),
        Operation::Rotate => on(method, rotate),
        Operation::Revoke => on(method, revoke),
        Operation::Sync => on(method, sync),
        Operation::Resync => on(method, resync),
        Operation::State => on(method, state),
        Operation::PutTarget => on(method, put_target),
        Operation::DeleteTarget => on(method, delete_target),
        Operation::CallTarget => on(method, call_target),
        Operation::Hash => on(method, hash),
        Operation::LocalClients => on(method, local_clients),
        Operation::Mesh => on(method, mesh),
        Operation::MeshHealth => on(method, mesh_health),
        Operation::Timeline => on(method, timeline),
        Operation::StopPeer => on(method, stop_peer),
        Operation::StartPeer => on(method, start_peer),
    }
}

/// The part of the path that names a peer; what cannot be decoded names none.
type Queue = Result<Path<String>, PathRejection>;

fn name(queue: Queue) -> String {
    queue.map(|Path(name)| name).unwrap_or_default()
}

async fn ensure(
    State(on): State<Surface>,
    By(origin): By,
    Input(ensure, reply): Input<Ensure>,
) -> Response {
    send(reply.answer(on.management().ensure(ensure, origin).await))
}

async fn rotate(
    State(on): State<Surface>,
    By(origin): By,
    Input(rotate, reply): Input<Rotate>,
) -> Response {
    send(reply.answer(on.management().rotate(rotate, origin).await))
}

async fn revoke(
    State(on): State<Surface>,
    By(origin): By,
    Input(revoke, reply): Input<Revoke>,
) -> Response {
    send(reply.answer(on.management().revoke(revoke, origin).await))
}

async fn sync(
    State(on): State<Surface>,
    By(origin): By,
    Input(Nothing {}, reply): Input<Nothing>,
) -> Response {
    send(reply.answer(on.management().sync(&origin).await))
}

async fn resync(
    State(on): State<Surface>,
    By(origin): By,
    Input(resync, reply): Input<Resync>,
) -> Response {
    send(reply.answer(on.management().resync(resync, origin).await))
}

async fn state(State(on): State<Surface>, Input(query, reply): Input<StateQuery>) -> Response {
    send(reply.answer(on.management().state(query).await))
}

async fn put_target(
    State(on): State<Surface>,
    By(origin): By,
    Input(target, reply): Input<Target>,
) -> Response {
    send(reply.answer(on.management().put_target(target, &origin).await))
}

async fn delete_target(
    State(on): State<Surface>,
    By(origin): By,
    queue: Queue,
    Input(Nothing {}, reply): Input<Nothing>,
) -> Response {
    send(reply.answer(on.management().delete_target(&name(queue), &origin).await))
}

async fn call_target(State(on): State<Surface>, Input(call, reply): Input<Call>) -> Response {
    send(reply.answer(on.management().call_target(call).await))
}

async fn hash(State(on): State<Surface>, Input(hash, reply): Input<Hash>) -> Response {
    send(reply.answer(on.management().hash(hash)))
}

async fn local_clients(
    State(on): State<Surface>,
    Input(query, reply): Input<LocalQuery>,
) -> Response {
    send(reply.list(on.management().local_clients(query).await))
}

async fn mesh(State(on): State<Surface>, Input(query, reply): Input<MeshQuery>) -> Response {
    send(reply.answer(on.management().mesh_page(query).await))
}

async fn mesh_health(
    State(on): State<Surface>,
    Input(Nothing {}, reply): Input<Nothing>,
) -> Response {
    send(reply.answer(on.management().mesh_health().await))
}

async fn timeline(
    State(on): State<Surface>,
    Input(query, reply): Input<TimelineQuery>,
) -> Response {
    send(reply.answer(on.management().timeline(query).await))
}

async fn stop_peer(
    State(on): State<Surface>,
    queue: Queue,
    Input(Nothing {}, reply): Input<Nothing>,
) -> Response {
    send(reply.answer(on.management().control(&name(queue), false).await))
}

async fn start_peer(
    State(on): State<Surface>,
    queue: Queue,
    Input(Nothing {}, reply): Input<Nothing>,
) -> Response {
    send(reply.answer(on.management().control(&name(queue), true).await))
}

async fn events(State(on): State<Surface>, caller: Option<Extension<Caller>>) -> Response {
    let left = caller.and_then(|Extension(caller)| caller.left(SystemClock.now_ms()));
    match (on.management().events(), left) {
        (Ok(events), Some(left)) => stream(Box::pin(events.take_until(sleep(left)))),
        (Ok(events), None) => stream(events),
        (Err(error), _) => refuse(error.into()),
    }
}
