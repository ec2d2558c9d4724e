//! Everything that happened, one line each.

use leptos::prelude::*;
use mesh_api::timeline::HistoryEntry;

use crate::history::words;
use crate::{moment, name};

/// All entries, the newest first.
pub(super) fn full(entries: &[HistoryEntry]) -> impl IntoView + use<> {
    let rows: Vec<_> = entries.iter().cloned().map(row).collect();
    view! {
        <div class="scroll" role="region" aria-label="All entries" tabindex="0">
            <table class="entries">
                <thead>
                    <tr>
                        <th scope="col">"When (UTC)"</th>
                        <th scope="col">"Change"</th>
                        <th scope="col">"Target"</th>
                        <th scope="col">"What"</th>
                        <th scope="col">"Attempt"</th>
                        <th scope="col">"Reason"</th>
                        <th scope="col">"Event"</th>
                        <th scope="col">"Who asked"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

fn row(entry: HistoryEntry) -> impl IntoView {
    let day: String = moment::iso(entry.at).chars().take(10).collect();
    let event: String = entry
        .event_id
        .as_deref()
        .unwrap_or_default()
        .chars()
        .take(8)
        .collect();
    view! {
        <tr>
            <td class="moment">
                <time datetime=moment::iso(entry.at)>{day} " " {moment::precise(entry.at)}</time>
            </td>
            <td>{format!("#{}", entry.generation)}</td>
            <td>{entry.target.unwrap_or_else(|| "the client".to_owned())}</td>
            <td>{words(&entry.transition).to_owned()}</td>
            <td>{entry.attempt.map(|attempt| attempt.to_string())}</td>
            <td>{entry.reason}</td>
            <td class="hash" title=entry.event_id>{event}</td>
            <td title=entry.request_id>{entry.actor.map(|actor| view! { <bdi>{name::shown(&actor)}</bdi> })}</td>
        </tr>
    }
}
