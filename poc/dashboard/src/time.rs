//! Moments on the page: relative, with the moment in UTC one hover away.

use leptos::prelude::*;

use crate::moment;
use crate::state::State;

/// A moment, relative to now.
pub(crate) fn ago(state: State, at: i64) -> impl IntoView {
    view! {
        <time datetime=moment::iso(at) title=moment::utc(at)>
            {move || moment::relative(at, state.now.get())}
        </time>
    }
}

/// A moment in UTC, and relative to now.
pub(crate) fn both(state: State, at: i64) -> impl IntoView {
    view! {
        <time datetime=moment::iso(at)>
            <span class="moment">{moment::utc(at)}</span>
            <span class="ago">{move || moment::relative(at, state.now.get())}</span>
        </time>
    }
}
