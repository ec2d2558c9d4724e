//! What happened to one client, in three views: compact, timeline and full.

mod bars;
mod full;
mod head;

use leptos::either::Either;
use leptos::prelude::*;
use mesh_api::timeline::Timeline;

use crate::address;
use crate::history;
use crate::state::State;
use crate::timeline::bars::{compact, lanes};
use crate::timeline::full::full;

/// The timeline, with the choice of its view.
pub(crate) fn section(state: State) -> impl IntoView + use<> {
    let views = [
        ("compact", "Compact"),
        ("lanes", "Timeline"),
        ("full", "Full"),
    ];
    let choices = views.into_iter().enumerate().map(|(index, (view, label))| {
        let id = format!("view-{view}");
        view! {
            <input type="radio" name="view" id=id.clone() class="tab" checked=index == 0/>
            <label for=id>{label}</label>
        }
    });
    let content = move || {
        state
            .timeline
            .with(|timeline| timeline.as_ref().map(|timeline| content(state, timeline)))
    };
    view! {
        <section class="timeline" aria-labelledby="timeline">
            <div class="headline">
                <h2 id="timeline">"What happened"</h2>
                <div class="segments tabs" role="group" aria-label="View">{choices.collect_view()}</div>
            </div>
            {content}
        </section>
    }
}

fn content(state: State, timeline: &Timeline) -> impl IntoView + use<> {
    let changes = history::changes(&timeline.entries, &timeline.pivots);
    if changes.is_empty() {
        return Either::Left(nothing(timeline));
    }
    let older = timeline.next.map(|next| {
        let mut query = state.query.get_untracked();
        query.cursor = Some(next.to_string());
        let address = address::client(timeline.track, &timeline.client_id);
        view! { <a class="button quiet" href=format!("{address}{}", address::search(&query))>"Older"</a> }
    });
    let begins = state.query.get_untracked().cursor.is_some();
    let newest = begins.then(|| {
        view! { <a class="button quiet" href=address::client(timeline.track, &timeline.client_id)>"Newest"</a> }
    });
    let summaries: Vec<_> = changes
        .iter()
        .enumerate()
        .map(|(index, change)| compact(state, change, index == 0))
        .collect();
    let details: Vec<_> = changes
        .iter()
        .enumerate()
        .map(|(index, change)| lanes(state, change, index == 0))
        .collect();
    Either::Right(view! {
        <ol class="view" data-view="compact">{summaries}</ol>
        <ol class="view" data-view="lanes">{details}</ol>
        <div class="view" data-view="full">{full(&timeline.entries)}</div>
        <nav class="pager" aria-label="Pages of the timeline">{newest}{older}</nav>
    })
}

fn nothing(timeline: &Timeline) -> impl IntoView + use<> {
    let (what, next) = match (&timeline.client, timeline.known) {
        (Some(client), _) if !client.own => (
            "Its story is told elsewhere",
            "Another peer is the source of this client: what happened to it stands on that peer's dashboard. What this page shows is where it is now.",
        ),
        (_, true) => (
            "Nothing is kept of it",
            "What happened has been cleaned up. The next change begins a new story.",
        ),
        _ => (
            "No such client",
            "No peer holds it, and nothing was ever booked for it here. Ensure it on the matrix.",
        ),
    };
    view! { <div class="empty"><h3>{what}</h3><p>{next}</p></div> }
}
