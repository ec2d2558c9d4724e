//! The forms in the documentation: the same routes, the same fields, url-encoded.

use utoipa::openapi::header::Header;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Content, RefOr, Response, ResponseBuilder, Schema};

use crate::fields::{Field, Kind, of_form};
use crate::routes::Operation;

/// Adds the form to what an operation's body may be.
pub(super) fn takes(body: RequestBodyBuilder, operation: Operation) -> RequestBodyBuilder {
    let fields = of_form(operation).unwrap_or_default();
    let form = fields.iter().fold(ObjectBuilder::new(), |form, field| {
        let form = form.property(field.name, schema(field));
        match (field.kind, field.optional) {
            (Kind::List, _) | (_, true) => form,
            (_, false) => form.required(field.name),
        }
    });
    let back = "The path of this site's page to go back to; / unless given";
    let form = form.property("back", text(back));
    let form = match operation {
        Operation::DeleteTarget => form.property("_method", text("DELETE")).required("_method"),
        _ => form,
    };
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

fn schema(field: &Field) -> RefOr<Schema> {
    let meaning = match (field.kind, field.optional) {
        (Kind::List, false) => {
            let items = ArrayBuilder::new().items(text(""));
            let list = items.description(Some("Given once for each"));
            return RefOr::T(Schema::from(list.build()));
        }
        (Kind::Text | Kind::Choice(_) | Kind::Count, false) => "A text",
        (Kind::Text | Kind::Choice(_) | Kind::Count, true) => {
            "A text; empty is as if it were not there"
        }
        (Kind::Secret, false) => "A secret; it is never shown again",
        (Kind::Secret, true) => "A secret, never shown again; empty is as if it were not there",
        (Kind::List, true) => {
            "Separated by line ends, commas or blanks; empty is as if it were not there"
        }
        (Kind::Moment, _) => "Such as 2030-12-31T23:59, UTC; empty is as if it were not there",
    };
    text(meaning)
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
