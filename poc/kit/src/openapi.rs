//! The OpenAPI document of a peer, made from the table of routes.

pub mod page;
pub mod schema;

use hmac_propagation::propagator::Mode;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder};
use utoipa::openapi::{
    Content, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Required,
    ResponseBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use crate::health::{Missing, Readiness};
use crate::mesh::model::{
    CellState, MeshCell, MeshClient, MeshHealth, MeshPage, MeshSummary, MissingPart, PeerControlled,
    PeerHealth, PeerState, PeerSummary, QueueState, Timeline,
};
use crate::openapi::schema as body;
use crate::problem::Problem;
use crate::surface::administration::{CredentialState, HistoryEntry, PivotState, StatePage, TargetState};
use crate::surface::routes::{Method, Operation, Prefix, ROUTES, Route};
use crate::surface::signed_call::SentRequest;

const MESH_QUERY: [&str; 5] = ["cursor", "limit", "filter", "show", "sort"];
const TIMELINE_QUERY: [&str; 4] = ["clientId", "track", "before", "limit"];

/// The document of the peer named `peer`.
pub fn document(peer: &str, mode: Mode) -> OpenApi {
    let mut paths = PathsBuilder::new();
    if mode == Mode::Full {
        for prefix in Prefix::ALL {
            for route in ROUTES {
                let path = format!("{}{}", prefix.as_str(), route.path);
                paths = paths.path(path, item(route.method, managed(prefix, route)));
            }
        }
    }
    for (method, path, operation) in common() {
        paths = paths.path(path, item(method, operation));
    }
    let info = InfoBuilder::new()
        .title(format!("hmac-mesh peer {peer}"))
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "JSON in and out. Every refusal is a Problem. The echo takes signed requests: headers x-client-id, \
             x-timestamp, x-nonce and x-signature.",
        ));
    OpenApiBuilder::new().info(info.build()).paths(paths.build()).components(Some(components())).build()
}

fn common() -> Vec<(Method, &'static str, OperationBuilder)> {
    let signed = |summary| {
        answers::<body::Echo>(operation("echo", summary), 200)
            .response("401", problem("The signature is missing, wrong, too old or was used before"))
            .response("403", problem("The client's address is not allowed"))
            .response("413", problem("The body is too long"))
    };
    let text = |summary, answer| {
        operation("operation", summary).response("200", ResponseBuilder::new().description(answer).build())
    };
    vec![
        (Method::Get, "/api/echo", signed("Answers who signed the request")),
        (Method::Post, "/api/echo", signed("Answers who signed the request, and its body")),
        (Method::Get, "/livez", text("Tells that the process serves", "It does")),
        (
            Method::Get,
            "/readyz",
            answers::<Readiness>(
                operation("operation", "Tells whether the peer is ready, and what is missing"),
                200,
            )
            .response("503", described::<Readiness>("Something is missing")),
        ),
        (Method::Get, "/metrics", text("Metrics as Prometheus text", "The metrics")),
        (Method::Get, "/openapi.json", text("This document", "The document")),
        (Method::Get, "/docs", text("This document to read", "A page")),
    ]
}

fn managed(prefix: Prefix, route: &Route) -> OperationBuilder {
    let status = prefix.status(route.method);
    let operation = operation("management", route.summary);
    let operation = match route.operation {
        Operation::Ensure => answers::<body::EnsureAnswer>(takes::<body::Ensure>(operation), status),
        Operation::Rotate => answers::<body::Client>(takes::<body::Rotate>(operation), status),
        Operation::Revoke => answers::<body::Client>(takes::<body::Revoke>(operation), status),
        Operation::Sync => answers::<body::Summary>(operation, status),
        Operation::Resync => answers::<body::Summary>(takes::<body::Resync>(operation), status),
        Operation::State => answers::<StatePage>(operation, status)
            .parameter(parameter("cursor", ParameterIn::Query))
            .parameter(parameter("limit", ParameterIn::Query)),
        Operation::PutTarget => answers::<body::TargetAnswer>(takes::<body::Target>(operation), status),
        Operation::DeleteTarget => answers::<body::TargetAnswer>(operation, status)
            .parameter(parameter("queue", ParameterIn::Path))
            .response("409", problem("Clients are booked for the target")),
        Operation::CallTarget => answers::<body::CallAnswer>(takes::<body::Call>(operation), status),
        Operation::Hash => answers::<body::HashAnswer>(takes::<body::Hash>(operation), status),
        Operation::Mesh => queries(answers::<MeshPage>(operation, status), &MESH_QUERY),
        Operation::MeshHealth => answers::<MeshHealth>(operation, status),
        Operation::Timeline => queries(answers::<Timeline>(operation, status), &TIMELINE_QUERY),
        Operation::StopPeer | Operation::StartPeer => {
            answers::<PeerControlled>(operation, status).parameter(parameter("queue", ParameterIn::Path))
        }
        Operation::LocalClients => operation.response("200", {
            let list =
                ArrayBuilder::new().items(RefOr::Ref(Ref::from_schema_name(body::LocalClient::name())));
            let schema = RefOr::T(Schema::from(list.build()));
            let content = Content::new(Some(schema));
            ResponseBuilder::new().description("The credentials").content("application/json", content).build()
        }),
    };
    operation
        .response("400", problem("The request is wrong; field says where"))
        .response("404", problem("There is no such client or target"))
        .response("413", problem("The body is too long"))
        .response("503", problem("A store or the broker is away"))
}

fn operation(tag: &str, summary: &str) -> OperationBuilder {
    OperationBuilder::new().tag(tag).summary(Some(summary))
}

fn queries(operation: OperationBuilder, names: &[&str]) -> OperationBuilder {
    names.iter().fold(operation, |operation, name| operation.parameter(parameter(name, ParameterIn::Query)))
}

fn takes<T: ToSchema>(operation: OperationBuilder) -> OperationBuilder {
    let body = RequestBodyBuilder::new()
        .content("application/json", reference::<T>())
        .required(Some(Required::True));
    operation.request_body(Some(body.build()))
}

fn answers<T: ToSchema>(operation: OperationBuilder, status: u16) -> OperationBuilder {
    operation.response(status.to_string(), described::<T>("Done"))
}

fn problem(description: &str) -> utoipa::openapi::Response {
    described::<Problem>(description)
}

fn described<T: ToSchema>(description: &str) -> utoipa::openapi::Response {
    let response = ResponseBuilder::new().description(description);
    response.content("application/json", reference::<T>()).build()
}

fn reference<T: ToSchema>() -> Content {
    Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name(T::name()))))
}

fn parameter(name: &str, place: ParameterIn) -> ParameterBuilder {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    ParameterBuilder::new().name(name).parameter_in(place).required(required).schema(Some(String::schema()))
}

fn item(method: Method, operation: OperationBuilder) -> PathItem {
    let method = match method {
        Method::Get => HttpMethod::Get,
        Method::Post => HttpMethod::Post,
        Method::Delete => HttpMethod::Delete,
    };
    PathItem::new(method, operation)
}

fn components() -> utoipa::openapi::Components {
    macro_rules! all {
        ($($schema:ty),* $(,)?) => { ComponentsBuilder::new()$(.schema_from::<$schema>())* };
    }
    all!(
        Problem,
        Missing,
        Readiness,
        CredentialState,
        PivotState,
        StatePage,
        TargetState,
        HistoryEntry,
        SentRequest,
        MeshPage,
        MeshSummary,
        PeerSummary,
        MeshClient,
        MeshCell,
        CellState,
        MeshHealth,
        PeerHealth,
        PeerState,
        MissingPart,
        QueueState,
        Timeline,
        PeerControlled,
        body::Call,
        body::CallAnswer,
        body::Client,
        body::Echo,
        body::Ensure,
        body::EnsureAnswer,
        body::Hash,
        body::HashAnswer,
        body::LocalClient,
        body::Resync,
        body::Revoke,
        body::Rotate,
        body::Summary,
        body::Target,
        body::TargetAnswer,
    )
    .build()
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
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn the_document_names_every_route_and_defines_what_it_refers_to() {
        let document = json!(document("authority", Mode::Full));
        for prefix in Prefix::ALL {
            for route in ROUTES {
                let path = format!("{}{}", prefix.as_str(), route.path);
                assert!(document["paths"].get(&path).is_some(), "{path}");
            }
        }
        assert!(document["paths"]["/api/echo"].get("get").is_some());
        assert!(document["paths"]["/api/echo"].get("post").is_some());
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn a_receive_only_peer_documents_no_management() {
        let document = json!(document("consumer", Mode::ReceiveOnly));
        assert!(document["paths"].get("/admin/ensure").is_none());
        assert!(document["paths"].get("/api/echo").is_some());
    }
}
