//! The OpenAPI document of the surface, made from the table of routes and the types. Whoever mounts it adds [`paths`] and
//! [`components`] to the document of their own service.

pub mod page;
pub mod parts;
pub mod refusals;
pub mod security;

mod forms;
mod parameters;

use utoipa::openapi::path::{Operation as Documented, OperationBuilder};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder, Type};
use utoipa::openapi::{Content, PathsBuilder, RefOr, Required, Response, Schema};

use crate::call::{Call, CallAnswer, SentRequest};
use crate::credential::{Client, Ensure, EnsureAnswer, Revoke, Rotate};
use crate::fields::of_form;
use crate::hash::{Hash, HashAnswer};
use crate::health::{MeshHealth, MissingPart, PeerControlled, PeerHealth, PeerState, QueueState};
use crate::local::LocalClient;
use crate::mesh::{CellState, MeshCell, MeshClient, MeshPage, MeshSummary, PeerSummary};
use crate::openapi::parts::{JSON, described, item, operation, plain, reference, response};
use crate::permission::Permission;
use crate::problem::Problem;
use crate::routes::{DELETE_TARGET_FORM, EVENTS, Method, Operation, ROUTES, Route};
use crate::state::{CredentialState, PivotState, StatePage};
use crate::sync::{Resync, Summary};
use crate::target::{Target, TargetAnswer, TargetState};
use crate::timeline::{HistoryEntry, Timeline};

/// How the surface is mounted.
#[derive(Clone, Copy, Debug)]
pub struct Mounted<'a> {
    /// Below which path, such as `/admin`.
    pub prefix: &'a str,
    /// Whether a good answer to a POST is 201 instead of 200.
    pub created: bool,
    /// Whether forms are taken.
    pub forms: bool,
    /// Whether changes are pushed as events.
    pub events: bool,
}

/// Adds the routes of a mounted surface.
pub fn paths(mut paths: PathsBuilder, mounted: &Mounted<'_>) -> PathsBuilder {
    for route in ROUTES {
        paths = add(paths, mounted, route, managed(mounted, route));
    }
    if mounted.forms {
        paths = add(
            paths,
            mounted,
            &DELETE_TARGET_FORM,
            form_only(mounted, &DELETE_TARGET_FORM),
        );
    }
    if mounted.events {
        let path = format!("{}{EVENTS}", mounted.prefix);
        paths = paths.path(path, item(Method::Get, changes()));
    }
    paths
}

fn add(
    paths: PathsBuilder,
    mounted: &Mounted<'_>,
    route: &Route,
    operation: impl Into<Documented>,
) -> PathsBuilder {
    let path = format!("{}{}", mounted.prefix, route.path);
    paths.path(path, item(route.method, operation))
}

macro_rules! all {
    ($components:expr; $($schema:ty),* $(,)?) => { $components$(.schema_from::<$schema>())* };
}

/// Adds the shapes that the routes name.
pub fn components(components: ComponentsBuilder) -> ComponentsBuilder {
    let components = all!(
        components;
        Problem, Ensure, EnsureAnswer, Rotate, Revoke, Client, Resync, Summary, StatePage, CredentialState, PivotState,
        Target, TargetAnswer, TargetState, Call, CallAnswer, SentRequest, Hash, HashAnswer, LocalClient,
    );
    all!(
        components;
        MeshPage, MeshSummary, PeerSummary, MeshClient, MeshCell, CellState, MeshHealth, PeerHealth, PeerState,
        MissingPart, QueueState, PeerControlled, Timeline, HistoryEntry,
    )
}

/// Tells whether a form may ask for what the route does.
pub(crate) fn takes_forms(route: &Route) -> bool {
    route.method == Method::Post && of_form(route.operation).is_some()
}

/// The stream of changes.
fn changes() -> OperationBuilder {
    let what = "Events `hello`, `client`, `gone`, `summary`, `health` and `reload`, each with one line of JSON, until the peer stops";
    let operation = operation(
        "management",
        "meshEvents",
        "Pushes changes of the mesh as they happen",
    );
    let operation = security::asks_for(operation, Permission::MeshRead);
    refusals::events(operation.response("200", plain("text/event-stream", Type::String, what)))
}

fn managed(mounted: &Mounted<'_>, route: &Route) -> OperationBuilder {
    let takes_form = mounted.forms && takes_forms(route);
    let named = operation("management", &id(mounted, route), route.summary);
    let named = security::asks_for(named, route.permission);
    let with_body = match request_body(route.operation, takes_form) {
        Some(body) => named.request_body(Some(body)),
        None => named,
    };
    let answered = with_body.response(status(mounted, route), answer_of(route.operation));
    let answered = if takes_form {
        answered.response("303", forms::answer())
    } else {
        answered
    };
    refusals::managed(
        parameters::managed(answered, route.operation),
        route,
        takes_form,
    )
}

fn status(mounted: &Mounted<'_>, route: &Route) -> &'static str {
    match (mounted.created, route.method) {
        (true, Method::Post) => "201",
        _ => "200",
    }
}

/// What an operation takes: JSON, a form, or either; `None` for nothing.
fn request_body(operation: Operation, takes_form: bool) -> Option<RequestBody> {
    let json = match operation {
        Operation::Ensure => Some(reference::<Ensure>()),
        Operation::Rotate => Some(reference::<Rotate>()),
        Operation::Revoke => Some(reference::<Revoke>()),
        Operation::Resync => Some(reference::<Resync>()),
        Operation::PutTarget => Some(reference::<Target>()),
        Operation::CallTarget => Some(reference::<Call>()),
        Operation::Hash => Some(reference::<Hash>()),
        _ => None,
    };
    let required = if json.is_some() {
        Required::True
    } else {
        Required::False
    };
    let body = RequestBodyBuilder::new().required(Some(required));
    let body = match json {
        Some(schema) => body.content(JSON, Content::new(Some(schema))),
        None if takes_form => body,
        None => return None,
    };
    let body = if takes_form {
        forms::takes(body, operation)
    } else {
        body
    };
    Some(body.build())
}

fn answer_of(operation: Operation) -> Response {
    match operation {
        Operation::Ensure => described::<EnsureAnswer>("Done"),
        Operation::Rotate | Operation::Revoke => described::<Client>("Done"),
        Operation::Sync | Operation::Resync => described::<Summary>("What was sent"),
        Operation::State => described::<StatePage>("One page"),
        Operation::PutTarget | Operation::DeleteTarget => described::<TargetAnswer>("Done"),
        Operation::CallTarget => {
            described::<CallAnswer>("What the peer answered, whatever that was")
        }
        Operation::Hash => described::<HashAnswer>("The hash"),
        Operation::Mesh => described::<MeshPage>("One page"),
        Operation::MeshHealth => described::<MeshHealth>("Every peer"),
        Operation::Timeline => described::<Timeline>("The newest entries first"),
        Operation::StopPeer | Operation::StartPeer => described::<PeerControlled>("Done"),
        Operation::LocalClients => {
            let list = ArrayBuilder::new().items(reference::<LocalClient>());
            response(
                "One page; the `Link` header names the next one, and a client that changes meanwhile may be on both",
                JSON,
                RefOr::T(Schema::from(list.build())),
            )
        }
    }
}

/// A route that only forms need.
fn form_only(mounted: &Mounted<'_>, route: &Route) -> OperationBuilder {
    let body = forms::takes(
        RequestBodyBuilder::new().required(Some(Required::True)),
        route.operation,
    );
    let id = format!("{}Form", id(mounted, route));
    let operation = operation("management", &id, route.summary).request_body(Some(body.build()));
    let operation = security::asks_for(operation, route.permission);
    let operation = operation
        .response(status(mounted, route), answer_of(route.operation))
        .response("303", forms::answer());
    refusals::managed(parameters::managed(operation, route.operation), route, true)
}

/// A name that no other operation has: `adminEnsure`.
fn id(mounted: &Mounted<'_>, route: &Route) -> String {
    let prefix: String = mounted
        .prefix
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect();
    let (first, rest) = route.operation.as_str().split_at(1);
    format!("{prefix}{}{rest}", first.to_uppercase())
}
