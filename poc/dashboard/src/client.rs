//! The page of one client: where it is, what happened to it, and what can be done with it.

use leptos::prelude::*;
use mesh_api::routes::Operation;
use mesh_api::timeline::Timeline;
use mesh_api::track::Track;

use crate::drive::{self, Sheet, sheets};
use crate::entry::Form;
use crate::field::NEWER;
use crate::state::State;
use crate::{name, signed_call, time, timeline};

/// The client's page.
pub(crate) fn page(state: State) -> impl IntoView + use<> {
    let (track, client_id) = state.timeline.with_untracked(|timeline| {
        timeline
            .as_ref()
            .map(|timeline| (timeline.track, timeline.client_id.clone()))
            .unwrap_or_default()
    });
    let of_client = client_id.clone();
    let known = move || {
        state
            .timeline
            .with(|timeline| timeline.as_ref().is_some_and(is_anywhere))
    };
    view! {
        <div class="with-panel">
            <section class="client-page" aria-labelledby="client">
                <p class="crumbs"><a href="/">"Matrix"</a></p>
                <div class="headline">
                    <div>
                        <h1 id="client"><bdi>{name::shown(&client_id)}</bdi></h1>
                        <p class="lead">{move || state.timeline.with(|timeline| timeline.as_ref().map(|timeline| about(state, timeline)))}</p>
                    </div>
                    {move || known().then(|| resync(state, &of_client, track)).flatten()}
                </div>
                {now(state)}
                {timeline::section(state)}
            </section>
            {panel(state, &client_id)}
        </div>
    }
}

fn is_anywhere(timeline: &Timeline) -> bool {
    timeline.known || timeline.client.is_some()
}

/// What it is, in a line.
fn about(state: State, timeline: &Timeline) -> impl IntoView + use<> {
    let track = match timeline.track {
        Track::Message => "Signs messages",
        Track::Http => "Signs HTTP requests",
    };
    let source = match (&timeline.client, timeline.known) {
        (Some(client), _) if client.revoked => "revoked",
        (Some(client), _) if client.own => "this peer is its source",
        (None, true) => "this peer is its source",
        (Some(_), _) => "another peer is its source",
        (None, false) => "no peer knows it",
    };
    let client = timeline.client.clone().unwrap_or_default();
    let changed = client
        .changed_at
        .map(|at| view! { " · changed " {time::ago(state, at)} });
    let expires = client
        .expires_at
        .map(|at| view! { " · expires " {time::both(state, at)} });
    view! { {track} " · " {source} {changed} {expires} }
}

/// Where it is now.
fn now(state: State) -> impl IntoView + use<> {
    let cells = move || {
        state.timeline.with(|timeline| {
            let client = timeline.as_ref()?.client.as_ref()?;
            Some(drive::strip(state, client))
        })
    };
    view! {
        <section aria-labelledby="now">
            <h2 id="now">"On the peers now"</h2>
            {cells}
        </section>
    }
}

fn resync(state: State, client_id: &str, track: Track) -> Option<impl IntoView + use<>> {
    let form = Form::new(state, Operation::Resync)?;
    Some(form.around(view! {
        <input type="hidden" name="clientId" value=client_id.to_owned()/>
        <input type="hidden" name="track" value=track.as_str()/>
        {form.consent(NEWER, "overwrite")}
        {form.send("Send its state again", "Sending…", "quiet")}
    }))
}

fn panel(state: State, client_id: &str) -> impl IntoView + use<> {
    let call = signed_call::form(state, client_id);
    let offered = [
        Sheet::new(Operation::Rotate, "Rotate", drive::rotate(state, client_id)),
        Sheet::new(Operation::CallTarget, "Call", call),
        Sheet::new(Operation::Revoke, "Revoke", drive::revoke(state, client_id)),
    ];
    view! {
        <aside class="panel" id="drive" aria-label="This client">
            {sheets(state, offered)}
            {drive::suggestions(state)}
        </aside>
    }
}
