//! What changes credentials: ensure, rotate, revoke, and a signed call to try one.

use leptos::either::Either;
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
use crate::{address, caller, name, words};

/// The forms beside the matrix.
pub(crate) fn panel(state: State) -> impl IntoView + use<> {
    let offered = [
        Sheet::new(Operation::Ensure, "Ensure", ensure(state)),
        Sheet::new(Operation::Rotate, "Rotate", rotate(state, "")),
        Sheet::new(Operation::Revoke, "Revoke", revoke(state, "")),
        Sheet::new(Operation::CallTarget, "Call", signed_call::form(state, "")),
    ];
    view! {
        <aside class="panel" id="drive" aria-label="Drive propagation">
            {sheets(state, offered)}
            {way(state)}
            {suggestions(state)}
        </aside>
    }
}

/// A form of a panel.
pub(crate) struct Sheet {
    operation: Operation,
    label: &'static str,
    /// `None` where the caller may not send it.
    form: Option<AnyView>,
}

impl Sheet {
    /// A form, under a tab of this label.
    pub(crate) fn new<V: IntoView + 'static>(
        operation: Operation,
        label: &'static str,
        form: Option<V>,
    ) -> Self {
        Self {
            operation,
            label,
            form: form.map(IntoAny::into_any),
        }
    }
}

/// The forms of a panel, one at a time: those that the caller may send, or who may send the first of them.
pub(crate) fn sheets<const N: usize>(state: State, offered: [Sheet; N]) -> impl IntoView + use<N> {
    let first = offered.first().map(|sheet| sheet.operation);
    let allowed = offered.into_iter().filter_map(|sheet| {
        let form = sheet.form?;
        Some((sheet.operation, sheet.label, form))
    });
    let allowed: Vec<_> = allowed.collect();
    if allowed.is_empty() {
        return Either::Left(first.map(caller::only_others));
    }
    let said = state
        .said
        .with_untracked(|said| said.as_ref().map(|outcome| outcome.operation));
    let open = allowed
        .iter()
        .position(|(operation, ..)| said == Some(*operation))
        .unwrap_or_default();
    let (mut tabs, mut sheets) = (Vec::new(), Vec::new());
    for (index, (operation, label, form)) in allowed.into_iter().enumerate() {
        let name = operation.as_str();
        let id = format!("tab-{name}");
        tabs.push(view! {
            <input type="radio" name="drive" id=id.clone() class="tab" checked=index == open/>
            <label for=id>{label}</label>
        });
        sheets.push(view! { <div class="sheet" data-tab=name>{form}</div> });
    }
    Either::Right(view! {
        <div class="tabs" role="group" aria-label="What to do">{tabs}</div>
        {sheets}
    })
}

fn ensure(state: State) -> Option<impl IntoView> {
    let form = Form::new(state, Operation::Ensure)?;
    Some(form.around(view! {
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
    }))
}

/// Gives a client a new secret; `client` is given on its own page.
pub(crate) fn rotate(state: State, client: &str) -> Option<impl IntoView + use<>> {
    let form = Form::new(state, Operation::Rotate)?;
    Some(form.around(view! {
        <p class="purpose">"Gives a known client a new secret, here and on the targets it is booked for."</p>
        {form.text(CLIENT_ID, client, "client-ids")}
        {form.secret(SECRET)}
        {form.choice(TRACK, tracks_from(state))}
        {form.general_mistake()}
        {form.send("Rotate secret", "Rotating…", "primary")}
    }))
}

/// Takes a client away; `client` is given on its own page.
pub(crate) fn revoke(state: State, client: &str) -> Option<impl IntoView + use<>> {
    let form = Form::new(state, Operation::Revoke)?;
    Some(form.around(view! {
        <p class="purpose">"Takes a client away. Its requests are refused as soon as a peer has applied it."</p>
        {form.text(CLIENT_ID, client, "client-ids")}
        {form.targets(LEAVING)}
        {form.choice(TRACK, tracks_from(state))}
        {form.general_mistake()}
        {form.send("Revoke client", "Revoking…", "danger")}
    }))
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
