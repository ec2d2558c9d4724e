//! The OpenAPI document of a peer, made from the table of routes.

pub mod committed;
mod components;
mod forms;
pub mod page;
mod parameters;
mod refusals;
pub mod schema;

use hmac_propagation::propagator::Mode;
use utoipa::ToSchema;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{
    Content, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr,
    Required, Response, ResponseBuilder, Schema,
};

use crate::events;
use crate::forms::takes_forms;
use crate::health::Readiness;
use crate::mesh::model::{MeshHealth, MeshPage, PeerControlled, Timeline};
use crate::metrics;
use crate::openapi::schema as body;
use crate::surface::administration::StatePage;
use crate::surface::routes::{EVENTS, FORM_ROUTES, Method, Operation, Prefix, ROUTES, Route};

const JSON: &str = "application/json";

const ABOUT: &str = "JSON in and out. Every refusal is a Problem, whose `error` is one of the codes named at its status; \
     a path that is not here is answered 404 `NOT_FOUND`, another method 405 `METHOD_NOT_ALLOWED`. The echo takes signed \
     requests (docs/wire-contract.md). Nothing else asks who comes: keep it where only operators reach it.";

/// The document of the peer named `peer`; `pages` tells whether it has the dashboard, and so takes forms.
pub fn document(peer: &str, mode: Mode, pages: bool) -> OpenApi {
    let mut paths = PathsBuilder::new();
    if mode == Mode::Full {
        for prefix in Prefix::ALL {
            for route in ROUTES {
                let takes_form = pages && prefix == Prefix::Api && takes_forms(route);
                paths = add(paths, prefix, route, managed(prefix, route, takes_form));
            }
        }
        for route in FORM_ROUTES.iter().filter(|_| pages) {
            paths = add(paths, Prefix::Api, route, form_only(route));
        }
        paths = paths.path(EVENTS, item(Method::Get, changes()));
    }
    for (method, path, operation) in common() {
        paths = paths.path(path, item(method, operation));
    }
    let info = InfoBuilder::new()
        .title(format!("hmac-mesh peer {peer}"))
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths.build())
        .components(Some(components::of(mode)))
        .build()
}

fn add(
    paths: PathsBuilder,
    prefix: Prefix,
    route: &Route,
    operation: OperationBuilder,
) -> PathsBuilder {
    paths.path(
        format!("{}{}", prefix.as_str(), route.path),
        item(route.method, operation),
    )
}

/// What every peer serves, whatever its mode.
fn common() -> Vec<(Method, &'static str, OperationBuilder)> {
    let named = |id, summary| operation("operation", id, summary);
    let text = |id, summary, kind, answer| {
        named(id, summary).response("200", plain(kind, Type::String, answer))
    };
    let ready = named(
        "readyz",
        "Tells whether the peer is ready, and what is missing",
    );
    let ready = answers::<Readiness>(ready, 200)
        .response("503", described::<Readiness>("Something is missing"));
    let whole = named("openapi", "This document")
        .response("200", plain(JSON, Type::Object, "The document"));
    vec![
        (
            Method::Get,
            "/api/echo",
            signed("echo", "Answers who signed the request"),
        ),
        (Method::Post, "/api/echo", signed_with_body()),
        (
            Method::Get,
            "/livez",
            answers::<body::Alive>(named("livez", "Tells that the process serves"), 200),
        ),
        (Method::Get, "/readyz", ready),
        (
            Method::Get,
            "/metrics",
            text(
                "metrics",
                "Metrics for Prometheus",
                metrics::CONTENT_TYPE,
                "The metrics",
            ),
        ),
        (Method::Get, "/openapi.json", whole),
        (
            Method::Get,
            "/docs",
            text(
                "docs",
                "This document to read",
                "text/html; charset=utf-8",
                "A page",
            ),
        ),
    ]
}

fn signed(id: &str, summary: &str) -> OperationBuilder {
    let operation = parameters::signed(operation("echo", id, summary));
    refusals::signed(answers::<body::Echo>(operation, 200))
}

fn signed_with_body() -> OperationBuilder {
    let anything = RequestBodyBuilder::new()
        .description(Some(
            "Anything of at most 65536 bytes; JSON comes back as JSON, the rest as text",
        ))
        .content("*/*", Content::default());
    signed("echoBody", "Answers who signed the request, and its body")
        .request_body(Some(anything.build()))
}

/// The stream of changes.
fn changes() -> OperationBuilder {
    let what = "Events `hello`, `client`, `gone`, `summary`, `health` and `reload`, each with one line of JSON, until the peer stops";
    let operation = operation(
        "management",
        "meshEvents",
        "Pushes changes of the mesh as they happen",
    );
    refusals::events(operation.response("200", plain(events::CONTENT_TYPE, Type::String, what)))
}

fn managed(prefix: Prefix, route: &Route, takes_form: bool) -> OperationBuilder {
    let named = operation("management", &id(prefix, route), route.summary);
    let with_body = match request_body(route.operation, takes_form) {
        Some(body) => named.request_body(Some(body)),
        None => named,
    };
    let status = prefix.status(route.method).to_string();
    let answered = with_body.response(status, answer_of(route.operation));
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

/// What an operation takes: JSON, a form, or either; `None` for nothing.
fn request_body(operation: Operation, takes_form: bool) -> Option<RequestBody> {
    let json = match operation {
        Operation::Ensure => Some(reference::<body::Ensure>()),
        Operation::Rotate => Some(reference::<body::Rotate>()),
        Operation::Revoke => Some(reference::<body::Revoke>()),
        Operation::Resync => Some(reference::<body::Resync>()),
        Operation::PutTarget => Some(reference::<body::Target>()),
        Operation::CallTarget => Some(reference::<body::Call>()),
        Operation::Hash => Some(reference::<body::Hash>()),
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
        Operation::Ensure => described::<body::EnsureAnswer>("Done"),
        Operation::Rotate | Operation::Revoke => described::<body::Client>("Done"),
        Operation::Sync | Operation::Resync => described::<body::Summary>("What was sent"),
        Operation::State => described::<StatePage>("One page"),
        Operation::PutTarget | Operation::DeleteTarget => described::<body::TargetAnswer>("Done"),
        Operation::CallTarget => {
            described::<body::CallAnswer>("What the peer answered, whatever that was")
        }
        Operation::Hash => described::<body::HashAnswer>("The hash"),
        Operation::Mesh => described::<MeshPage>("One page"),
        Operation::MeshHealth => described::<MeshHealth>("Every peer"),
        Operation::Timeline => described::<Timeline>("The newest entries first"),
        Operation::StopPeer | Operation::StartPeer => described::<PeerControlled>("Done"),
        Operation::LocalClients => {
            let list = ArrayBuilder::new().items(reference::<body::LocalClient>());
            response(
                "The credentials",
                JSON,
                RefOr::T(Schema::from(list.build())),
            )
        }
    }
}

/// A route that only forms need.
fn form_only(route: &Route) -> OperationBuilder {
    let body = forms::takes(
        RequestBodyBuilder::new().required(Some(Required::True)),
        route.operation,
    );
    let id = format!("{}Form", id(Prefix::Api, route));
    let operation = operation("management", &id, route.summary).request_body(Some(body.build()));
    let status = Prefix::Api.status(route.method).to_string();
    let operation = operation
        .response(status, answer_of(route.operation))
        .response("303", forms::answer());
    refusals::managed(parameters::managed(operation, route.operation), route, true)
}

/// A name that no other operation has: `adminEnsure`.
fn id(prefix: Prefix, route: &Route) -> String {
    let (first, rest) = route.operation.as_str().split_at(1);
    format!("{}{}{rest}", &prefix.as_str()[1..], first.to_uppercase())
}

fn operation(tag: &str, id: &str, summary: &str) -> OperationBuilder {
    OperationBuilder::new()
        .tag(tag)
        .operation_id(Some(id))
        .summary(Some(summary))
}

fn answers<T: ToSchema>(operation: OperationBuilder, status: u16) -> OperationBuilder {
    operation.response(status.to_string(), described::<T>("Done"))
}

fn described<T: ToSchema>(description: &str) -> Response {
    response(description, JSON, reference::<T>())
}

fn plain(kind: &str, of: Type, description: &str) -> Response {
    response(
        description,
        kind,
        RefOr::T(Schema::from(ObjectBuilder::new().schema_type(of).build())),
    )
}

fn response(description: &str, kind: &str, schema: RefOr<Schema>) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content(kind, Content::new(Some(schema)))
        .build()
}

fn reference<T: ToSchema>() -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

fn item(method: Method, operation: OperationBuilder) -> PathItem {
    let method = match method {
        Method::Get => HttpMethod::Get,
        Method::Post => HttpMethod::Post,
        Method::Delete => HttpMethod::Delete,
    };
    PathItem::new(method, operation)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.push(reference.clone());
                }
                members
                    .values()
                    .for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn the_document_names_every_route_and_defines_what_it_refers_to() {
        let document = json!(document("authority", Mode::Full, true));
        for prefix in Prefix::ALL {
            for route in ROUTES {
                let path = format!("{}{}", prefix.as_str(), route.path);
                assert!(document["paths"].get(&path).is_some(), "{path}");
            }
        }
        for (path, method) in [
            ("/api/echo", "get"),
            ("/api/echo", "post"),
            (EVENTS, "get"),
            ("/api/targets/{queue}", "post"),
            ("/api/targets/{queue}", "delete"),
            ("/livez", "get"),
            ("/readyz", "get"),
            ("/metrics", "get"),
            ("/openapi.json", "get"),
            ("/docs", "get"),
        ] {
            assert!(
                document["paths"][path].get(method).is_some(),
                "{method} {path}"
            );
        }
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let document = json!(document("leptos-axum", Mode::Full, true));
        let items = document["paths"].as_object().unwrap().values();
        let operations = items.flat_map(|item| item.as_object().unwrap().values());
        let names: Vec<&str> = operations
            .map(|one| one["operationId"].as_str().unwrap())
            .collect();
        let distinct: std::collections::BTreeSet<&&str> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        assert!(
            names.contains(&"adminEnsure") && names.contains(&"apiDeleteTargetForm"),
            "{names:?}"
        );
    }

    #[test]
    fn a_peer_without_pages_takes_no_forms() {
        let form = "application/x-www-form-urlencoded";
        let text = |pages| json!(document("authority", Mode::Full, pages)).to_string();
        assert!(text(true).contains(form));
        assert!(!text(false).contains(form));
    }

    #[test]
    fn a_receive_only_peer_documents_no_management() {
        let document = json!(document("consumer", Mode::ReceiveOnly, false));
        assert!(document["paths"].get("/admin/ensure").is_none());
        assert!(document["paths"].get("/api/echo").is_some());
    }
}
