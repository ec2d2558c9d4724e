//! The echo, which takes signed requests: the headers of a signature, and how one is refused.

use auth_base::store_error::StoreError;
use hmac_auth::rejection::Rejection;
use mesh_api::openapi::parts::{described, operation};
use mesh_api::openapi::refusals::add;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, RefOr, Required, Schema};

use crate::openapi::schema::Echo;

/// A request without a body.
pub(super) fn echo() -> OperationBuilder {
    signed("echo", "Answers who signed the request")
}

/// A request with one.
pub(super) fn echo_of_body() -> OperationBuilder {
    let anything = RequestBodyBuilder::new()
        .description(Some(
            "Anything of at most 65536 bytes; JSON comes back as JSON, the rest as text",
        ))
        .content("*/*", Content::default());
    signed("echoBody", "Answers who signed the request, and its body")
        .request_body(Some(anything.build()))
}

fn signed(id: &str, summary: &str) -> OperationBuilder {
    let operation = parameters(operation("echo", id, summary));
    refusals(operation.response("200", described::<Echo>("Done")))
}

/// Adds the four headers of a signature.
fn parameters(operation: OperationBuilder) -> OperationBuilder {
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
            let text = ObjectBuilder::new().schema_type(kind).build();
            let named = ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::True)
                .description(Some(meaning));
            operation.parameter(named.schema(Some(RefOr::T(Schema::from(text)))))
        })
}

/// Adds what a route behind signatures may refuse with.
fn refusals(operation: OperationBuilder) -> OperationBuilder {
    let unreachable = || StoreError::Unavailable("away".into());
    let corrupt = StoreError::Corrupt {
        client_id: String::new(),
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
