//! The OpenAPI document as a page: whole without scripts, without anything from elsewhere.

use std::fmt::Write as _;

use serde_json::Value;
use utoipa::openapi::OpenApi;

/// What the page may load: nothing but its own style.
pub const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}\
code,pre{font-family:ui-monospace,monospace}details{border:1px solid #8886;border-radius:.4rem;margin:.4rem 0;padding:.4rem .8rem}\
summary{cursor:pointer}summary b{display:inline-block;min-width:4.5rem}table{border-collapse:collapse;width:100%}\
td,th{border-bottom:1px solid #8884;padding:.2rem .6rem .2rem 0;overflow-wrap:anywhere;text-align:left;vertical-align:top}pre{overflow:auto}";

/// Renders the document.
pub fn render(document: &OpenApi) -> String {
    let document = serde_json::json!(document);
    let mut page = String::with_capacity(32 * 1024);
    let title = escape(text(&document, "/info/title"));
    let about = escape(text(&document, "/info/description"));
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        page,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>{title}</title><style>{STYLE}</style><main><h1>{title}</h1><p>{about}</p>\
         <p><a href=/openapi.json>openapi.json</a></p><h2>Routes</h2>"
    );
    for (path, item) in members(&document, "/paths") {
        for (method, operation) in members(item, "") {
            route(&mut page, method, path, operation);
        }
    }
    page.push_str("<h2>Shapes</h2>");
    for (name, schema) in members(&document, "/components/schemas") {
        shape(&mut page, name, schema);
    }
    page.push_str("</main></html>");
    page
}

fn route(page: &mut String, method: &str, path: &str, operation: &Value) {
    let _ = write!(
        page,
        "<details><summary><b>{}</b> <code>{}</code> {}</summary><table>",
        escape(&method.to_uppercase()),
        escape(path),
        escape(text(operation, "/summary"))
    );
    let request = operation.pointer("/requestBody/content/application~1json/schema");
    if let Some(schema) = request {
        let _ = write!(page, "<tr><th>takes<td>{}", type_of(schema));
    }
    for parameter in operation
        .get("parameters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let _ = write!(
            page,
            "<tr><th>{}<td><code>{}</code>",
            escape(text(parameter, "/in")),
            escape(text(parameter, "/name"))
        );
    }
    for (status, response) in members(operation, "/responses") {
        let schema = response.pointer("/content/application~1json/schema");
        let _ = write!(
            page,
            "<tr><th>{}<td>{} {}",
            escape(status),
            escape(text(response, "/description")),
            schema.map(type_of).unwrap_or_default()
        );
    }
    page.push_str("</table></details>");
}

fn shape(page: &mut String, name: &str, schema: &Value) {
    let name = escape(name);
    let about = escape(text(schema, "/description"));
    let _ = write!(
        page,
        "<details id='{name}'><summary><code>{name}</code> {about}</summary><table>"
    );
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    for (field, schema) in members(schema, "/properties") {
        let needed = if required.contains(&field) {
            ""
        } else {
            "optional"
        };
        let _ = write!(
            page,
            "<tr><th><code>{}</code><td>{}<td>{needed}<td>{}",
            escape(field),
            type_of(schema),
            escape(text(schema, "/description"))
        );
    }
    page.push_str("</table></details>");
}

/// A type in words, with a link where it has a name.
fn type_of(schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = escape(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href='#{name}'><code>{name}</code></a>");
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", type_of(items));
    }
    match schema.get("type") {
        Some(Value::String(name)) => escape(name),
        Some(Value::Array(names)) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            escape(&names.join(" or "))
        }
        _ => "anything".to_owned(),
    }
}

fn members<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let object = value.pointer(pointer).and_then(Value::as_object);
    object
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use utoipa::openapi::schema::ComponentsBuilder;
    use utoipa::openapi::{OpenApiBuilder, PathsBuilder};

    use super::*;
    use crate::openapi::{Mounted, components, paths};

    #[test]
    fn the_page_shows_every_route_and_loads_nothing() {
        let mounted = Mounted {
            prefix: "/admin",
            created: true,
            forms: true,
            events: true,
        };
        let document = OpenApiBuilder::new()
            .paths(paths(PathsBuilder::new(), &mounted).build())
            .components(Some(components(ComponentsBuilder::new()).build()));
        let page = render(&document.build());
        assert!(page.contains("<code>/admin/ensure</code>"));
        assert!(page.contains("<a href='#Ensure'>"));
        assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("http://"));
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(
            escape("<a href='x'>&\""),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"
        );
    }
}
