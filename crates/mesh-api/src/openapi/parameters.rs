//! What a request brings besides its body: the fields of its query, and the part of its path that names something.

use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Required, Schema};

use crate::fields::{self, Kind};
use crate::local::LocalQuery;
use crate::mesh::MeshQuery;
use crate::routes::Operation;
use crate::state::StateQuery;
use crate::timeline::TimelineQuery;

/// Adds the parameters of an operation.
pub(super) fn managed(operation: OperationBuilder, of: Operation) -> OperationBuilder {
    match of {
        Operation::State => query::<StateQuery>(operation),
        Operation::LocalClients => query::<LocalQuery>(operation),
        Operation::Mesh => query::<MeshQuery>(operation),
        Operation::Timeline => query::<TimelineQuery>(operation),
        Operation::DeleteTarget | Operation::StopPeer | Operation::StartPeer => {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let named = ParameterBuilder::new()
                .name("queue")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The peer's name"))
                .schema(Some(RefOr::T(Schema::from(text))));
            operation.parameter(named)
        }
        _ => operation,
    }
}

/// Adds the fields of a query, as its struct tells them.
fn query<Q: ToSchema + DeserializeOwned>(operation: OperationBuilder) -> OperationBuilder {
    let RefOr::T(Schema::Object(described)) = Q::schema() else {
        return operation;
    };
    let fields = fields::of::<Q>().into_iter();
    fields.fold(operation, |operation, field| {
        let Some(RefOr::T(Schema::Object(schema))) = described.properties.get(field.name) else {
            return operation;
        };
        let mut schema = schema.clone();
        let required = if field.optional || !described.required.iter().any(|it| it == field.name) {
            Required::False
        } else {
            Required::True
        };
        let parameter = ParameterBuilder::new()
            .name(field.name)
            .parameter_in(ParameterIn::Query)
            .required(required)
            .description(schema.description.take());
        operation
            .parameter(parameter.schema(Some(RefOr::T(Schema::from(text(schema, field.kind))))))
    })
}

/// A parameter is there or it is not: it is never null.
fn text(mut schema: Object, kind: Kind) -> Object {
    if let SchemaType::Array(types) = &schema.schema_type {
        let other = types.iter().find(|one| **one != Type::Null);
        schema.schema_type = other
            .cloned()
            .map_or(SchemaType::AnyValue, SchemaType::Type);
    }
    schema.format = None;
    if let Kind::Choice(words) = kind {
        let words = words.iter().filter(|word| !word.is_empty());
        schema.enum_values = Some(words.map(|word| (*word).into()).collect());
    }
    schema
}
