//! One client on one peer: shape, word, hash and age.

use leptos::prelude::*;
use mesh_api::mesh::{CellState, MeshCell};

use crate::form::said;
use crate::icon;
use crate::moment;
use crate::state::State;
use crate::words;

/// A cell of the table.
pub(crate) fn cell(state: State, cell: &MeshCell, peer: String) -> impl IntoView + use<> {
    let class = format!("cell {}", words::class(cell.state));
    view! {
        <td role="cell" data-peer=peer class=class title=details(cell)>
            {inside(state, cell)}
        </td>
    }
}

/// What a cell shows. Only its age changes by itself.
pub(crate) fn inside(state: State, cell: &MeshCell) -> impl IntoView + use<> {
    let kind = cell.state;
    let at = cell.updated_at.filter(|_| kind != CellState::None);
    view! {
        <span class="standing">
            {icon::fixed(words::class(kind))}
            <span class="word">{words::of_cell(kind)}</span>
            <span class="age">{move || at.map(|at| moment::age(at, state.now.get()))}</span>
        </span>
        <span class="hash">{cell.hash_prefix.clone()}</span>
        <span class="why">{said(why(cell))}</span>
    }
}

/// Why it is not there yet, where that is known.
fn why(cell: &MeshCell) -> String {
    if !cell.state.needs_attention() {
        return String::new();
    }
    let sent = cell
        .attempts
        .filter(|attempts| *attempts > 1)
        .map(|attempts| format!("{attempts} attempts"));
    let parts: Vec<String> = sent.into_iter().chain(cell.reason.clone()).collect();
    match (parts.is_empty(), cell.status) {
        (false, _) => parts.join(": "),
        (true, Some(status)) => words::of_status(status).to_owned(),
        (true, None) => String::new(),
    }
}

/// All of it, for who hovers.
fn details(cell: &MeshCell) -> String {
    let mut parts = vec![format!("{}: {}", cell.peer, words::of_cell(cell.state))];
    parts.extend(
        cell.updated_at
            .map(|at| format!("written {}", moment::utc(at))),
    );
    parts.extend(
        cell.status
            .map(|status| format!("last change {}", words::of_status(status))),
    );
    parts.extend(
        cell.attempts
            .map(|attempts| format!("attempts: {attempts}")),
    );
    parts.extend(cell.reason.clone());
    parts.join("\n")
}
