//! What a route behind signatures takes and refuses with.

use auth_base::store_error::StoreError;
use hmac_auth::rejection::Rejection;
use mesh_api::openapi::refusals::add;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, Schema};

/// Adds the four headers of a signature.
pub(super) fn headers(operation: OperationBuilder) -> OperationBuilder {
    let headers = [
        ("x-client-id", Type::String, "Who signs"),
        (
            "x-timestamp",
            Type::Integer,
            "Epoch milliseconds, at most 300000 from the peer's clock",
        ),
        (
            "x-nonce",
            Type::String,
            "Never used before with this client and timestamp; at most 256 bytes",
        ),
        (
            "x-signature",
            Type::String,
            "64 hex characters over method, path with query, timestamp, nonce and body",
        ),
    ];
    headers
        .into_iter()
        .fold(operation, |operation, (name, kind, meaning)| {
            let schema = ObjectBuilder::new().schema_type(kind).build();
            let parameter = ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::True)
                .description(Some(meaning));
            operation.parameter(parameter.schema(Some(RefOr::T(Schema::from(schema)))))
        })
}

/// Adds what such a route may refuse with.
pub(super) fn refusals(operation: OperationBuilder) -> OperationBuilder {
    let unreachable = || StoreError::Unavailable("away".into());
    let corrupt = StoreError::Corrupt {
        owner: String::new(),
        reason: "",
    };
    let rejections = [
        Rejection::MissingClientId,
        Rejection::MissingSignature,
        Rejection::MissingTimestamp,
        Rejection::MissingNonce,
        Rejection::InvalidTimestamp,
        Rejection::TimestampSkew,
        Rejection::UnknownClient,
        Rejection::ClientExpired,
        Rejection::MissingClientIp,
        Rejection::ClientIpNotAllowed,
        Rejection::BadSignature,
        Rejection::ReplayedNonce,
        Rejection::TooManyRequests,
        Rejection::Store(corrupt),
        Rejection::Store(unreachable()),
    ];
    let mut all: Vec<(u16, Vec<&'static str>, &'static str)> = vec![
        (400, vec!["INVALID_BODY"], "The body did not come whole"),
        (
            408,
            vec!["REQUEST_TIMEOUT"],
            "The body did not come in time",
        ),
        (
            413,
            vec!["PAYLOAD_TOO_LARGE"],
            "The body has more than 65536 bytes",
        ),
        (503, vec!["TIMEOUT"], "The answer took too long"),
    ];
    for rejection in rejections {
        let (code, status) = rejection.code_and_status();
        let meaning = match status {
            401 => "The request is not accepted",
            403 => "The client's address is not allowed",
            429 => "The client's nonces take all the room that one client may have",
            500 => "What the store holds for the client cannot be read",
            _ => "The peer's store is away; nobody is let in",
        };
        all.push((status, vec![code], meaning));
    }
    let all: Vec<_> = all
        .iter()
        .map(|(status, codes, meaning)| (*status, codes.as_slice(), *meaning))
        .collect();
    add(operation, &all)
}
