//! Draws whole documents.

use leptos::prelude::*;

use crate::app::app;
use crate::name;
use crate::page::PageData;

/// What a page's head names: paths on this site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    /// The style sheet.
    pub style: String,
    /// The module that makes the page live; absent where there is no bundle.
    pub start: Option<String>,
}

/// Draws a page. The answer is a whole document; it holds no script and no style of its own, but names those of `assets`.
pub fn render(data: &PageData, assets: &Assets) -> String {
    let body = Owner::new_root(None).with(|| app(data.clone()).to_html());
    let title = match data.timeline.as_ref() {
        Some(timeline) => name::shown(&timeline.client_id),
        None => data.page.title().to_owned(),
    };
    let title = format!("{} · {}", escape(&title), escape(&data.peer));
    let style = escape(&assets.style);
    let live = assets
        .start
        .as_ref()
        .filter(|_| data.live)
        .map(|start| live(data, start))
        .unwrap_or_default();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"referrer\" content=\"same-origin\">\
         <link rel=\"icon\" href=\"{ICON}\"><link rel=\"stylesheet\" href=\"{style}\">{live}</head><body>{body}</body></html>"
    )
}

/// Four dots that agree.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='%231f7a53'%3E\
    %3Ccircle cx='4' cy='4' r='3'/%3E%3Ccircle cx='12' cy='4' r='3'/%3E%3Ccircle cx='4' cy='12' r='3'/%3E\
    %3Ccircle cx='12' cy='12' r='3'/%3E%3C/svg%3E";

/// The page's data, and the module that reads it.
fn live(data: &PageData, start: &str) -> String {
    // A value of ours always has a JSON form; a page without it stays as it was drawn.
    let Ok(json) = serde_json::to_string(data) else {
        return String::new();
    };
    let (json, start) = (escape_json(&json), escape(start));
    format!(
        "<script type=\"application/json\" id=\"page-data\">{json}</script><script type=\"module\" src=\"{start}\"></script>"
    )
}

/// Escapes text for HTML, in an attribute too.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Escapes JSON so that no text in it can end the script it stands in. Outside texts JSON has none of these characters.
fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}
