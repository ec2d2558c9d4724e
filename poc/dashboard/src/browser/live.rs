//! What changes a page that lives: time moves and events arrive.

use std::time::Duration;

use leptos::prelude::*;

use crate::browser::{events, matrix};
use crate::state::State;

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
