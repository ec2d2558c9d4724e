//! What changes credentials: ensure, rotate, revoke, and a signed call to try one.

use leptos::prelude::*;
use mesh_api::mesh::{MeshCell, MeshClient};
use mesh_api::routes::Operation;
use mesh_api::timeline::Timeline;
use mesh_api::track::Track;

use crate::entry::Form;
use crate::field::{ALLOWED_IPS, CLIENT_ID, EXPIRES_AT, LEAVING, SECRET, TARGETS, TRACK};
use crate::matrix::cell::inside;
use crate::signed_call;
use crate::state::State;
use crate::{address, name, words};

/// The forms beside the matrix.
pub(crate) fn panel(state: State) -> impl IntoView + use<> {
    let forms = [
        (Operation::Ensure, "Ensure"),
        (Operation::Rotate, "Rotate"),
        (Operation::Revoke, "Revoke"),
        (Operation::CallTarget, "Call"),
    ];
    let said = state
        .said
        .with_untracked(|said| said.as_ref().map(|outcome| outcome.operation));
    let open = forms
        .iter()
        .position(|(operation, _)| said == Some(*operation))
        .unwrap_or_default();
    let tabs = forms
        .into_iter()
        .enumerate()
        .map(|(index, (operation, label))| {
            let id = format!("tab-{}", operation.as_str());
            view! {
                <input type="radio" name="drive" id=id.clone() class="tab" checked=index == open/>
                <label for=id>{label}</label>
            }
        });
    view! {
        <aside class="panel" id="drive" aria-label="Drive propagation">
            <div class="tabs" role="group" aria-label="What to do">{tabs.collect_view()}</div>
            <div class="sheet" data-tab="ensure">{ensure(state)}</div>
            <div class="sheet" data-tab="rotate">{rotate(state, "")}</div>
            <div class="sheet" data-tab="revoke">{revoke(state, "")}</div>
            <div class="sheet" data-tab="callTarget">{signed_call::form(state, "")}</div>
            {way(state)}
            {suggestions(state)}
        </aside>
    }
}

fn ensure(state: State) -> impl IntoView {
    let form = Form::new(state, Operation::Ensure);
    form.around(view! {
        <p class="purpose">"Gives a client a secret, here and on the chosen peers. A known client gets the new one."</p>
        {form.text(CLIENT_ID, "", "client-ids")}
        {form.secret(SECRET)}
        {form.targets(TARGETS)}
        <details open=form.was_refused()>
            <summary>"Rules, expiry and track"</summary>
            {form.lines(ALLOWED_IPS)}
            {form.moment(EXPIRES_AT)}
            {form.choice(TRACK, tracks())}
        </details>
        {form.general_mistake()}
        {form.send("Ensure client", "Ensuring…", "primary")}
    })
}

/// Gives a client a new secret; `client` is given on its own page.
pub(crate) fn rotate(state: State, client: &str) -> impl IntoView + use<> {
    let form = Form::new(state, Operation::Rotate);
    form.around(view! {
        <p class="purpose">"Gives a known client a new secret, here and on the targets it is booked for."</p>
        {form.text(CLIENT_ID, client, "client-ids")}
        {form.secret(SECRET)}
        {form.choice(TRACK, tracks_from(state))}
        {form.general_mistake()}
        {form.send("Rotate secret", "Rotating…", "primary")}
    })
}

/// Takes a client away; `client` is given on its own page.
pub(crate) fn revoke(state: State, client: &str) -> impl IntoView + use<> {
    let form = Form::new(state, Operation::Revoke);
    form.around(view! {
        <p class="purpose">"Takes a client away. Its requests are refused as soon as a peer has applied it."</p>
        {form.text(CLIENT_ID, client, "client-ids")}
        {form.targets(LEAVING)}
        {form.choice(TRACK, tracks_from(state))}
        {form.general_mistake()}
        {form.send("Revoke client", "Revoking…", "danger")}
    })
}

fn tracks() -> Vec<(String, String)> {
    [("http", "HTTP requests"), ("message", "Messages")]
        .map(|(value, label)| (value.into(), label.into()))
        .into()
}

/// The tracks; that of the page's client first.
fn tracks_from(state: State) -> Vec<(String, String)> {
    let mut tracks = tracks();
    let is_message = |timeline: &Timeline| timeline.track == Track::Message;
    if state
        .timeline
        .with_untracked(|timeline| timeline.as_ref().is_some_and(is_message))
    {
        tracks.reverse();
    }
    tracks
}

/// The last change's way through the mesh.
pub(crate) fn way(state: State) -> impl IntoView {
    move || {
        state.driven.get().map(|(track, client_id)| {
            let address = address::client(track, &client_id);
            view! {
                <section class="way" aria-label="Its way through the mesh">
                    <h2><bdi>{name::shown(&client_id)}</bdi></h2>
                    {move || state.driven_client.with(|client| client.as_ref().map(|client| strip(state, client)))}
                    <p><a href=address>"Its timeline"</a></p>
                </section>
            }
        })
    }
}

/// A client's cells, each with its peer's name.
pub(crate) fn strip(state: State, client: &MeshClient) -> impl IntoView + use<> {
    let items = client
        .cells
        .iter()
        .map(|cell| item(state, cell))
        .collect_view();
    view! { <ul class="strip">{items}</ul> }
}

fn item(state: State, cell: &MeshCell) -> impl IntoView + use<> {
    let class = format!("cell {}", words::class(cell.state));
    view! {
        <li class=class>
            <span class="name">{cell.peer.clone()}</span>
            {inside(state, cell)}
        </li>
    }
}

/// The clients of this page, for who types an id.
pub(crate) fn suggestions(state: State) -> impl IntoView + use<> {
    let options = move || {
        state.matrix.rows.with(|rows| {
            rows.iter()
                .map(|row| {
                    let (id, shown) = (row.key.1.clone(), name::shown(&row.key.1));
                    view! { <option label=(shown != id).then_some(shown) value=id></option> }
                })
                .collect_view()
        })
    };
    view! { <datalist id="client-ids">{options}</datalist> }
}
