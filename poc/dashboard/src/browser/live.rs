//! Brings the page to life: the components take over what the server drew, then time moves and events arrive.

use std::time::Duration;

use leptos::prelude::*;

use crate::app::app;
use crate::browser::{events, matrix};
use crate::page::PageData;
use crate::state::State;

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

/// Starts what changes the page, once it was taken over.
pub(crate) fn live(state: State) {
    Effect::new(move |_| {
        tick(state);
        matrix::follow_history(state);
        events::follow(state);
    });
}

/// Lets time move, from the server's time on: the browser's clock may be wrong.
fn tick(state: State) {
    let (drawn, began) = (state.now.get_untracked(), js_sys::Date::now());
    let moved = move || {
        if !document().hidden() {
            #[expect(clippy::cast_possible_truncation, reason = "a number of milliseconds")]
            let passed = (js_sys::Date::now() - began) as i64;
            state.now.set(drawn + passed.max(0));
        }
    };
    let _ = set_interval_with_handle(moved, Duration::from_secs(1));
}
