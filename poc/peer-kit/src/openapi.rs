//! The OpenAPI document of a peer: the management surface where it is mounted, and what every peer serves besides.

pub mod committed;
mod signed;

use hmac_propagation::propagator::Mode;
use mesh_api::openapi::parts::{JSON, described, item, operation, plain};
use mesh_api::openapi::{Mounted, components, page, paths, refusals, security};
use mesh_api::permission::Permission;
use mesh_api::problem::Problem;
use mesh_api::routes::Method;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, Type};
use utoipa::openapi::{Content, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder};

use crate::echo::Echo;
use crate::health::{Missing, Readiness};
use crate::metrics;

const ABOUT: &str = "JSON in and out. Every refusal is a Problem, whose `error` is one of the codes named at its status; \
     a path that is not here is answered 404 `NOT_FOUND`, one that is not UTF-8 400 `INVALID_PATH`, another method 405 \
     `METHOD_NOT_ALLOWED`, a `Host` that is no name of the peer 421 `MISDIRECTED_REQUEST`. The echo takes signed \
     requests (docs/wire-contract.md). Where `MANAGEMENT_AUTH` is `tokens`, what has an `x-permission` asks for a token that \
     allows it (docs/front-door.md), and so do pages; where it is `open`, nobody is asked: keep it where only operators reach it.";

/// The document as JSON, and as a page to read.
pub struct Documentation {
    /// The body of `/openapi.json`.
    pub json: String,
    /// The body of `/docs`.
    pub page: String,
}

impl Documentation {
    /// The type of that page.
    pub const CONTENT_TYPE: &str = "text/html; charset=utf-8";

    /// What such a page may load: nothing but its own style.
    pub const CONTENT_SECURITY_POLICY: &str = page::CONTENT_SECURITY_POLICY;

    /// Made once; see [`document`].
    pub fn new(peer: &str, mode: Mode, pages: bool) -> Self {
        let document = document(peer, mode, pages);
        Self {
            page: page::render(&document),
            json: serde_json::json!(document).to_string(),
        }
    }
}

/// The document of the peer named `peer`; `pages` tells whether it has the dashboard, and so takes forms.
pub fn document(peer: &str, mode: Mode, pages: bool) -> OpenApi {
    let (mut routes, mut shapes) = (PathsBuilder::new(), ComponentsBuilder::new());
    if mode == Mode::Full {
        for mounted in mounts(pages) {
            routes = paths(routes, &mounted);
        }
        shapes = components(shapes);
    }
    for (method, path, operation) in common() {
        routes = routes.path(path, item(method, operation));
    }
    let shapes = security::schemes(shapes)
        .schema_from::<Problem>()
        .schema_from::<Missing>()
        .schema_from::<Readiness>()
        .schema_from::<Alive>()
        .schema_from::<Echo>();
    let info = InfoBuilder::new()
        .title(format!("hmac-mesh peer {peer}"))
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(routes.build())
        .components(Some(shapes.build()))
        .build()
}

/// Where a full-mode peer mounts the surface: `/admin` as the authority of old had it, `/api` for the dashboard.
fn mounts(forms: bool) -> [Mounted<'static>; 2] {
    let admin = Mounted {
        prefix: "/admin",
        created: true,
        forms: false,
        events: false,
    };
    let api = Mounted {
        prefix: "/api",
        created: false,
        forms,
        events: true,
    };
    [admin, api]
}

/// The process serves.
#[derive(Serialize, ToSchema)]
struct Alive {
    /// Always `alive`.
    status: String,
}

/// What every peer serves, whatever its mode.
fn common() -> Vec<(Method, &'static str, OperationBuilder)> {
    let named = |id, summary| operation("operation", id, summary);
    let text = |id, summary, kind, answer| {
        named(id, summary).response("200", plain(kind, Type::String, answer))
    };
    let alive = named("livez", "Tells that the process serves");
    let ready = named(
        "readyz",
        "Tells whether the peer is ready, and what is missing",
    );
    let ready = ready
        .response("200", described::<Readiness>("Done"))
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
            alive.response("200", described::<Alive>("Done")),
        ),
        (Method::Get, "/readyz", ready),
        (
            Method::Get,
            "/metrics",
            refusals::add(
                security::asks_for(
                    text(
                        "metrics",
                        "Metrics for Prometheus",
                        metrics::CONTENT_TYPE,
                        "The metrics",
                    ),
                    Permission::MeshRead,
                ),
                refusals::ADMISSION,
            ),
        ),
        (Method::Get, "/openapi.json", whole),
        (
            Method::Get,
            "/docs",
            text(
                "docs",
                "This document to read",
                Documentation::CONTENT_TYPE,
                "A page",
            ),
        ),
    ]
}

fn signed(id: &str, summary: &str) -> OperationBuilder {
    let operation = signed::headers(operation("echo", id, summary));
    signed::refusals(operation.response("200", described::<Echo>("Done")))
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

#[cfg(test)]
mod tests {
    use mesh_api::routes::ROUTES;
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
        for prefix in ["/admin", "/api"] {
            for route in ROUTES {
                let path = format!("{prefix}{}", route.path);
                assert!(document["paths"].get(&path).is_some(), "{path}");
            }
        }
        for (path, method) in [
            ("/api/echo", "get"),
            ("/api/echo", "post"),
            ("/api/mesh/events", "get"),
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
