//! One client on one peer: shape, word, hash and age.

use leptos::prelude::*;

use crate::icon;
use crate::model::{Cell, CellState, Client};
use crate::moment;
use crate::state::State;

/// A cell of the table. It draws itself again only when it changed.
pub(crate) fn cell(state: State, client: ArcRwSignal<Client>, index: usize, peer: String) -> impl IntoView {
    let cell = Memo::new(move |_| client.with(|client| client.cells.get(index).cloned().unwrap_or_default()));
    view! {
        <td role="cell" data-peer=peer class=move || cell.with(|cell| format!("cell {}", cell.state.class())) title=move || cell.with(details)>
            {inside(state, cell)}
        </td>
    }
}

/// What a cell shows.
pub(crate) fn inside(state: State, cell: Memo<Cell>) -> impl IntoView {
    let kind = Memo::new(move |_| cell.with(|cell| cell.state));
    let age = Memo::new(move |_| {
        let at = cell.with(|cell| cell.updated_at).filter(|_| kind.get() != CellState::None);
        at.map(|at| moment::age(at, state.now.get())).unwrap_or_default()
    });
    view! {
        <span class="standing">
            {icon::shape(move || kind.get().class())}
            <span class="word">{move || kind.get().word()}</span>
            <span class="age">{move || age.get()}</span>
        </span>
        <span class="hash">{move || cell.with(|cell| cell.hash_prefix.clone()).unwrap_or_default()}</span>
        <span class="why">{move || cell.with(why)}</span>
    }
}

/// Why it is not there yet, where that is known.
fn why(cell: &Cell) -> String {
    if !cell.state.needs_attention() {
        return String::new();
    }
    let sent = cell.attempts.filter(|attempts| *attempts > 1).map(|attempts| format!("{attempts} attempts"));
    let parts: Vec<String> = sent.into_iter().chain(cell.reason.clone()).collect();
    match (parts.is_empty(), cell.status) {
        (false, _) => parts.join(": "),
        (true, Some(status)) => status.word().to_owned(),
        (true, None) => String::new(),
    }
}

/// All of it, for who hovers.
fn details(cell: &Cell) -> String {
    let mut parts = vec![format!("{}: {}", cell.peer, cell.state.word())];
    parts.extend(cell.updated_at.map(|at| format!("written {}", moment::utc(at))));
    parts.extend(cell.status.map(|status| format!("last change {}", status.word())));
    parts.extend(cell.attempts.map(|attempts| format!("attempts: {attempts}")));
    parts.extend(cell.reason.clone());
    parts.join("\n")
}
