//! What a request brings besides its body.

use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, Schema};

use crate::surface::STATE_LIMIT;
use crate::surface::routes::Operation;

/// How a parameter is written.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    OneOf(&'static [&'static str]),
    UpTo(usize),
    Number,
}

/// Adds the parameters of an operation of the management surface.
pub(super) fn managed(operation: OperationBuilder, of: Operation) -> OperationBuilder {
    use Shape::{Number, OneOf, Text, UpTo};
    let cursor = (
        "cursor",
        Text,
        "Where the page before said that the `next` one begins",
        false,
    );
    let parameters: &[(&str, Shape, &str, bool)] = match of {
        Operation::State => &[
            cursor,
            (
                "limit",
                UpTo(STATE_LIMIT),
                "Credentials at once; 100 unless given",
                false,
            ),
        ],
        Operation::Mesh => &[
            cursor,
            ("limit", UpTo(200), "Rows at once; 50 unless given", false),
            (
                "filter",
                Text,
                "What a client id must hold, in any case",
                false,
            ),
            (
                "show",
                OneOf(&["all", "attention"]),
                "`attention`: only what is not in sync",
                false,
            ),
            (
                "sort",
                OneOf(&["client", "changed"]),
                "`changed`: the last changed first",
                false,
            ),
        ],
        Operation::Timeline => &[
            ("clientId", Text, "The client", true),
            (
                "track",
                OneOf(&["http", "message"]),
                "`http` unless given",
                false,
            ),
            (
                "before",
                Number,
                "Only entries older than the one of this id",
                false,
            ),
            (
                "limit",
                UpTo(200),
                "Entries at once; 50 unless given",
                false,
            ),
        ],
        Operation::DeleteTarget | Operation::StopPeer | Operation::StartPeer => {
            let named = ParameterBuilder::new()
                .name("queue")
                .parameter_in(ParameterIn::Path);
            let named = named
                .required(Required::True)
                .description(Some("The peer's name"));
            return operation.parameter(named.schema(Some(schema(Text))));
        }
        _ => &[],
    };
    parameters
        .iter()
        .fold(operation, |operation, (name, shape, meaning, required)| {
            operation.parameter(parameter(
                name,
                ParameterIn::Query,
                *shape,
                meaning,
                *required,
            ))
        })
}

/// Adds the four headers of a signature.
pub(super) fn signed(operation: OperationBuilder) -> OperationBuilder {
    let headers = [
        ("x-client-id", Shape::Text, "Who signs"),
        (
            "x-timestamp",
            Shape::Number,
            "Epoch milliseconds, at most 300000 from the peer's clock",
        ),
        (
            "x-nonce",
            Shape::Text,
            "Never used before with this client and timestamp; at most 256 bytes",
        ),
        (
            "x-signature",
            Shape::Text,
            "64 hex characters over method, path with query, timestamp, nonce and body",
        ),
    ];
    headers
        .into_iter()
        .fold(operation, |operation, (name, shape, meaning)| {
            operation.parameter(parameter(name, ParameterIn::Header, shape, meaning, true))
        })
}

fn parameter(
    name: &str,
    place: ParameterIn,
    shape: Shape,
    meaning: &str,
    required: bool,
) -> ParameterBuilder {
    let required = if required {
        Required::True
    } else {
        Required::False
    };
    let named = ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required);
    named.description(Some(meaning)).schema(Some(schema(shape)))
}

fn schema(shape: Shape) -> RefOr<Schema> {
    let typed = ObjectBuilder::new().schema_type(match shape {
        Shape::Text | Shape::OneOf(_) => Type::String,
        Shape::UpTo(_) | Shape::Number => Type::Integer,
    });
    RefOr::T(Schema::from(match shape {
        Shape::Text => typed.build(),
        Shape::OneOf(words) => typed.enum_values(Some(words.iter().copied())).build(),
        Shape::UpTo(most) => typed.minimum(Some(1)).maximum(Some(most)).build(),
        Shape::Number => typed.build(),
    }))
}
