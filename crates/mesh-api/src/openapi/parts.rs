//! Small parts of a document.

use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, OperationBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{
    Content, HttpMethod, PathItem, Ref, RefOr, Response, ResponseBuilder, Schema,
};

use crate::routes::Method;

/// The content type of bodies.
pub const JSON: &str = "application/json";

/// An operation by its name.
pub fn operation(tag: &str, id: &str, summary: &str) -> OperationBuilder {
    OperationBuilder::new()
        .tag(tag)
        .operation_id(Some(id))
        .summary(Some(summary))
}

/// An answer of the shape `T` in JSON.
pub fn described<T: ToSchema>(description: &str) -> Response {
    response(description, JSON, reference::<T>())
}

/// An answer without a shape of its own.
pub fn plain(content_type: &str, of: Type, description: &str) -> Response {
    response(
        description,
        content_type,
        RefOr::T(Schema::from(ObjectBuilder::new().schema_type(of).build())),
    )
}

/// An answer.
pub fn response(description: &str, content_type: &str, schema: RefOr<Schema>) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content(content_type, Content::new(Some(schema)))
        .build()
}

/// A shape that stands among the components.
pub fn reference<T: ToSchema>() -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

/// A path with one method.
pub fn item(method: Method, operation: impl Into<Operation>) -> PathItem {
    let method = match method {
        Method::Get => HttpMethod::Get,
        Method::Post => HttpMethod::Post,
        Method::Delete => HttpMethod::Delete,
    };
    PathItem::new(method, operation)
}
