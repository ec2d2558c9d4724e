//! The forms of a peer with pages, in the documentation: the same routes, the same fields, url-encoded.

use utoipa::openapi::header::Header;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Content, RefOr, Response, ResponseBuilder, Schema};

use crate::forms::fields::{self, Written};
use crate::surface::routes::Operation;

/// Adds the form to what an operation's body may be.
pub(super) fn takes(body: RequestBodyBuilder, operation: Operation) -> RequestBodyBuilder {
    let written = fields::written(operation);
    let form = written.iter().fold(ObjectBuilder::new(), |form, field| {
        let form = form.property(field.name, schema(field));
        if field.required {
            form.required(field.name)
        } else {
            form
        }
    });
    let content = Content::new(Some(RefOr::T(Schema::from(form.build()))));
    body.content("application/x-www-form-urlencoded", content)
}

/// The answer that a browser gets.
pub(super) fn answer() -> Response {
    let location = Header::new(text("The page"));
    let response = ResponseBuilder::new().description(
        "To a form of whoever prefers HTML, refused or not: back to its page, which shows the outcome",
    );
    response.header("location", location).build()
}

fn schema(field: &Written) -> RefOr<Schema> {
    if field.list {
        let items = ArrayBuilder::new().items(text(""));
        return RefOr::T(Schema::from(items.description(Some(field.meaning)).build()));
    }
    text(field.meaning)
}

fn text(meaning: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let described = if meaning.is_empty() {
        text
    } else {
        text.description(Some(meaning))
    };
    RefOr::T(Schema::from(described.build()))
}
