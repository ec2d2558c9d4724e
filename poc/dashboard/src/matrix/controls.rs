//! Filter, sort and pages of the matrix: links and a form that work by themselves, and in place once the page is live.

use leptos::ev::MouseEvent;
use leptos::prelude::*;

use crate::page::Query;
use crate::state::State;
use crate::{address, browser};

/// The filter, what to show, and the order.
pub(crate) fn controls(state: State) -> impl IntoView + use<> {
    let query = state.query;
    let filter = query.get_untracked().filter.unwrap_or_default();
    let shown = move || query.with(|query| query.show.clone());
    let sorted = move || query.with(|query| query.sort.clone());
    view! {
        <div class="controls">
            <form class="filter" method="get" action="/" role="search" on:submit=move |event| {
                browser::filter_now(state, &event);
            }>
                <label for="filter">"Filter by client id"</label>
                <input
                    type="search"
                    id="filter"
                    name="filter"
                    value=filter
                    placeholder="Client id contains…"
                    autocomplete="off"
                    spellcheck="false"
                    on:input=move |event| browser::filter(state, event_target_value(&event))
                />
                {move || shown().map(|show| view! { <input type="hidden" name="show" value=show/> })}
                {move || sorted().map(|sort| view! { <input type="hidden" name="sort" value=sort/> })}
                <button type="submit" class="quiet still-only">"Filter"</button>
            </form>
            <div class="segments" role="group" aria-label="Which clients">
                {choice(state, "All", |query| query.show = None, |query| query.show.as_deref() != Some("attention"))}
                {choice(
                    state,
                    "Needs attention",
                    |query| query.show = Some("attention".to_owned()),
                    |query| query.show.as_deref() == Some("attention"),
                )}
            </div>
            <div class="segments" role="group" aria-label="Order">
                {choice(state, "By client", |query| query.sort = None, |query| query.sort.as_deref() != Some("changed"))}
                {choice(
                    state,
                    "Last changed",
                    |query| query.sort = Some("changed".to_owned()),
                    |query| query.sort.as_deref() == Some("changed"),
                )}
            </div>
        </div>
    }
}

/// The way to the next page, and back to the first.
pub(crate) fn pager(state: State) -> impl IntoView + use<> {
    let matrix = state.matrix;
    let counted = move || {
        let (shown, matching) = (matrix.rows.with(Vec::len), matrix.matching.get());
        if shown == 0 {
            String::new()
        } else {
            format!("{shown} of {matching} shown")
        }
    };
    let begins = move || state.query.with(|query| query.cursor.is_some());
    view! {
        <nav class="pager" aria-label="Pages of clients">
            <p>{counted}</p>
            {move || begins().then(|| go(state, "First page", |query| query.cursor = None))}
            {move || matrix.next.get().map(|next| {
                go(state, "Next page", move |query| query.cursor = Some(next.clone()))
            })}
        </nav>
    }
}

fn choice(
    state: State,
    label: &'static str,
    change: impl Fn(&mut Query) + Copy + Send + Sync + 'static,
    chosen: impl Fn(&Query) -> bool + Send + Sync + 'static,
) -> impl IntoView {
    let query = move || {
        let mut query = state.query.get();
        query.cursor = None;
        change(&mut query);
        query
    };
    view! {
        <a
            href=move || address::matrix(&query())
            aria-current=move || state.query.with(&chosen).then_some("true")
            on:click=move |event: MouseEvent| browser::go(state, &event, untrack(query))
        >
            {label}
        </a>
    }
}

fn go(state: State, label: &'static str, change: impl Fn(&mut Query)) -> impl IntoView {
    let mut query = state.query.get();
    change(&mut query);
    let there = query.clone();
    view! {
        <a
            class="button quiet"
            href=address::matrix(&query)
            on:click=move |event: MouseEvent| browser::go(state, &event, there.clone())
        >
            {label}
        </a>
    }
}
