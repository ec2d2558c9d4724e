//! Brings the page to life: the components take over what the server drew.

use leptos::prelude::*;

use crate::app::app;
use crate::page::PageData;

/// Brings the page to life. A page without data, or with data that another version wrote, stays as it was drawn.
pub fn hydrate() {
    let Some(island) = document().get_element_by_id("page-data") else {
        return;
    };
    let Ok(data) = serde_json::from_str::<PageData>(&island.text_content().unwrap_or_default())
    else {
        return;
    };
    hydrate_body(move || app(data));
    if let Some(root) = document().document_element() {
        // What needs a live page is shown from here on.
        let _ = root.set_attribute("data-live", "");
    }
}
