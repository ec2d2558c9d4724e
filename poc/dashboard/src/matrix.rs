//! The convergence matrix: clients down, peers across.

pub(crate) mod cell;
mod controls;

use leptos::either::Either;
use leptos::prelude::*;
use mesh_api::mesh::{MeshCell, MeshClient, MeshSummary, PeerSummary};
use mesh_api::routes::Operation;
use mesh_api::track::Track;

use crate::drive;
use crate::entry::Form;
use crate::matrix::cell::cell;
use crate::matrix::controls::{controls, pager};
use crate::state::{Row, State};
use crate::{address, name, time};

/// The matrix's page.
pub(crate) fn page(state: State) -> impl IntoView + use<> {
    view! {
        <div class="with-panel">
            <section class="matrix" aria-labelledby="agreement">
                {agreement(state)}
                {controls(state)}
                {table(state)}
                {pager(state)}
            </section>
            {drive::panel(state)}
        </div>
    }
}

fn agreement(state: State) -> impl IntoView + use<> {
    let summary = state.matrix.summary;
    let sync = Form::new(state, Operation::Sync)
        .map(|sync| sync.around(sync.send("Send what waits", "Sending…", "quiet")));
    let ensures = state.may(Operation::Ensure);
    view! {
        <div class="headline">
            <div>
                <h1 id="agreement">{move || agree(summary.get())}</h1>
                <p class="lead">{move || rest(summary.get(), ensures)}</p>
            </div>
            {sync}
        </div>
    }
}

/// Says how far the mesh agrees.
fn agree(summary: MeshSummary) -> String {
    let MeshSummary {
        clients,
        peers,
        peers_in_sync,
        ..
    } = summary;
    let clients = match clients {
        0 => return "No client yet".to_owned(),
        1 => "1 client".to_owned(),
        many => format!("{many} clients"),
    };
    if peers_in_sync == peers {
        format!("All {peers} peers agree on {clients}")
    } else {
        format!("{peers_in_sync} of {peers} peers agree on {clients}")
    }
}

/// Says what of it is to be done; `ensures` tells whether the caller may begin.
fn rest(summary: MeshSummary, ensures: bool) -> String {
    match summary.clients.saturating_sub(summary.in_sync) {
        _ if summary.clients == 0 && ensures => {
            "Ensure a client, and watch it reach every peer.".to_owned()
        }
        _ if summary.clients == 0 => "Nobody has ensured one here.".to_owned(),
        0 => "Every peer holds exactly what it should.".to_owned(),
        1 => "1 client is not everywhere as it should be.".to_owned(),
        many => format!("{many} clients are not everywhere as they should be."),
    }
}

fn table(state: State) -> impl IntoView + use<> {
    let matrix = state.matrix;
    let names = Memo::new(move |_| {
        matrix.peers.with(|peers| {
            peers
                .iter()
                .map(|peer| peer.name.clone())
                .collect::<Vec<_>>()
        })
    });
    let heads = move || {
        let names = names.get();
        (0..names.len())
            .map(|index| head(state, index))
            .collect_view()
    };
    let count = Memo::new(move |_| matrix.rows.with(Vec::len));
    let empty = move || matrix.rows.with(Vec::is_empty).then(|| nothing(state));
    view! {
        <div class="scroll" role="region" aria-label="Clients by peer" tabindex="0">
            <table role="table">
                <thead role="rowgroup">
                    <tr role="row">
                        <th scope="col" role="columnheader" class="client">"Client"</th>
                        {heads}
                        <th scope="col" role="columnheader" class="changed">"Changed"</th>
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    // By place, not by client: another page or order is written into the rows that are there.
                    <For
                        each=move || 0..count.get()
                        key=|index| *index
                        children=move |index| table_row(state, index, names)
                    />
                </tbody>
            </table>
        </div>
        {empty}
    }
}

/// The head of a peer's column: how much of it is as it should be.
fn head(state: State, index: usize) -> impl IntoView {
    let peer = Memo::new(move |_| {
        state
            .matrix
            .peers
            .with(|peers| peers.get(index).cloned().unwrap_or_default())
    });
    let total = move || {
        peer.with(|peer| peer.in_sync + peer.behind + peer.missing + peer.unexpected + peer.unknown)
    };
    let width = move || {
        (peer.with(|peer| peer.in_sync) * 100)
            .checked_div(total())
            .unwrap_or_default()
            .to_string()
    };
    view! {
        <th scope="col" role="columnheader" class="peer" class:off=move || peer.with(|peer| !peer.reachable)>
            <span class="name">{move || peer.with(|peer| peer.name.clone())}</span>
            " "
            {move || peer.with(|peer| peer.is_self).then(|| view! { <span class="tag">"this peer"</span> })}
            <svg class="share" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
                <rect width="100" height="4" class="track"></rect>
                <rect width=width height="4" class="part"></rect>
            </svg>
            <span class="drift">{move || peer.with(drift)}</span>
        </th>
    }
}

/// Says what of a peer is not as it should be.
fn drift(peer: &PeerSummary) -> String {
    if !peer.reachable {
        return peer
            .reason
            .clone()
            .unwrap_or_else(|| "cannot be read".to_owned());
    }
    let parts = [
        (peer.behind, "behind"),
        (peer.missing, "missing"),
        (peer.unexpected, "unexpected"),
        (peer.unknown, "unknown"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if parts.is_empty() {
        "in sync".to_owned()
    } else {
        parts.join(", ")
    }
}

/// A client's row. Drawn as one, for a page has many: it changes as one as well, and only where it differs.
fn table_row(state: State, index: usize, names: Memo<Vec<String>>) -> impl IntoView {
    move || {
        let Row {
            client,
            key: (track, client_id),
        } = state.matrix.rows.with(|rows| rows.get(index).cloned())?;
        let cells = |client: &MeshClient| {
            let cell = |(index, peer)| {
                cell(
                    state,
                    client.cells.get(index).unwrap_or(&MeshCell::default()),
                    peer,
                )
            };
            names.get().into_iter().enumerate().map(cell).collect_view()
        };
        Some(client.with(|client| {
            view! {
                <tr role="row" class:attention=client.attention>
                    <th scope="row" role="rowheader" class="client">
                        <a href=address::client(track, &client_id)><bdi>{name::shown(&client_id)}</bdi></a>
                        {(track != Track::Http).then(|| view! { <span class="tag">{track.as_str()}</span> })}
                        {client.revoked.then(|| view! { <span class="tag">"revoked"</span> })}
                        {(!client.own).then(|| view! {
                            <span class="tag" title="Another peer is its source">"from elsewhere"</span>
                        })}
                    </th>
                    {cells(client)}
                    <td role="cell" class="changed">{client.changed_at.map(|at| time::ago(state, at))}</td>
                </tr>
            }
        }))
    }
}

/// What stands where no client is.
fn nothing(state: State) -> impl IntoView + use<> {
    let query = state.query.get();
    let filter = query.filter.filter(|filter| !filter.is_empty());
    let attention = query.show.as_deref() == Some("attention");
    let (what, next) = match filter {
        _ if !state.matrix.known.get() => (
            "What the peers hold is not known yet".to_owned(),
            Either::Left(view! { <a href="/health">"Look at the mesh's health"</a> }),
        ),
        Some(filter) => (
            format!("No client's id contains “{filter}”"),
            Either::Left(view! { <a href="/">"Show all clients"</a> }),
        ),
        None if attention => (
            "Nothing needs attention".to_owned(),
            Either::Left(view! { <a href="/">"Show all clients"</a> }),
        ),
        None => ("No client yet".to_owned(), Either::Right(first(state))),
    };
    view! { <div class="empty"><h2>{what}</h2><p>{next}</p></div> }
}

/// How there comes to be a client.
fn first(state: State) -> impl IntoView + use<> {
    match state.may(Operation::Ensure) {
        true => Either::Left(view! {
            <span>
                "Give one a secret: fill in " <a href="#ensure-clientId">"Ensure"</a>
                ", choose the peers that shall know it, and send. Its row appears here and fills as they acknowledge."
            </span>
        }),
        false => Either::Right(
            "Its row appears here once one is ensured, and fills as the peers acknowledge.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_a_sentence() {
        let summary = MeshSummary {
            clients: 128,
            in_sync: 126,
            peers: 4,
            peers_in_sync: 3,
        };
        assert_eq!(agree(summary), "3 of 4 peers agree on 128 clients");
        assert_eq!(
            rest(summary, true),
            "2 clients are not everywhere as they should be."
        );
        let summary = MeshSummary {
            clients: 1,
            in_sync: 1,
            peers: 4,
            peers_in_sync: 4,
        };
        assert_eq!(agree(summary), "All 4 peers agree on 1 client");
    }
}
