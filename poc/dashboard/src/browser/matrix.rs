//! Reads again what the page shows, when the address or the mesh changed.

use std::cell::Cell;
use std::time::Duration;

use leptos::ev::{self, MouseEvent, SubmitEvent};
use leptos::prelude::*;
use leptos::task::spawn_local;
use mesh_api::health::MeshHealth;
use mesh_api::mesh::MeshPage;
use mesh_api::problem::Problem;
use mesh_api::target::TargetState;
use mesh_api::timeline::Timeline;
use mesh_api::track::Track;
use serde::Deserialize;
use wasm_bindgen::JsValue;

use crate::address;
use crate::browser::{fetch, recent};
use crate::page::{Page, Query};
use crate::state::{State, change};

/// Letters that come this close together are one question: people type slower, a paste or a held key does not.
const TYPING: Duration = Duration::from_millis(30);
/// However much changes, the page is read again no more often.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

thread_local! {
    /// Counts what was asked: only the last answer counts.
    static ASKED: Cell<u64> = const { Cell::new(0) };
    static TYPED: Cell<Option<TimeoutHandle>> = const { Cell::new(None) };
    /// Whether the page will be read again, and must not be scheduled twice.
    static RESTING: Cell<bool> = const { Cell::new(false) };
    static STALE: Cell<bool> = const { Cell::new(false) };
}

/// Filters while one types.
pub(crate) fn filter(state: State, text: String) {
    let later = move || show(state, filtered(state, &text), false);
    let typed = set_timeout_with_handle(later, TYPING).ok();
    if let Some(before) = TYPED.replace(typed) {
        before.clear();
    }
}

/// Filters at once.
pub(crate) fn filter_now(state: State, event: &SubmitEvent) {
    event.prevent_default();
    if let Some(before) = TYPED.take() {
        before.clear();
    }
    let input = document().get_element_by_id("filter");
    let text = input.and_then(|input| {
        js_sys::Reflect::get(&input, &JsValue::from_str("value"))
            .ok()?
            .as_string()
    });
    show(state, filtered(state, &text.unwrap_or_default()), false);
}

/// Follows a link to another view of the matrix, unless it is to open elsewhere.
pub(crate) fn go(state: State, event: &MouseEvent, query: Query) {
    let elsewhere =
        event.ctrl_key() || event.meta_key() || event.shift_key() || event.button() != 0;
    if elsewhere || event.default_prevented() {
        return;
    }
    event.prevent_default();
    show(state, query, true);
}

/// Follows the browser's back and forward.
pub(super) fn follow_history(state: State) {
    if state.page != Page::Matrix {
        return;
    }
    let popped = window_event_listener(ev::popstate, move |_| {
        state.query.set(from_address());
        spawn_local(load(state));
    });
    // It lives as long as the page.
    std::mem::forget(popped);
}

/// Reads the page again: now, and then no more often than every second.
pub(super) fn refresh(state: State) {
    if RESTING.get() {
        STALE.set(true);
        return;
    }
    RESTING.set(true);
    spawn_local(load(state));
    set_timeout(
        move || {
            RESTING.set(false);
            if STALE.replace(false) {
                refresh(state);
            }
        },
        AT_MOST_EVERY,
    );
}

fn filtered(state: State, text: &str) -> Query {
    let text = text.trim();
    let filter = (!text.is_empty()).then(|| text.to_owned());
    Query {
        filter,
        cursor: None,
        ..state.query.get_untracked()
    }
}

fn show(state: State, query: Query, is_step: bool) {
    if state.query.with_untracked(|before| *before == query) {
        return;
    }
    let address = address::matrix(&query);
    state.query.set(query);
    if let Ok(history) = window().history() {
        let (none, address) = (JsValue::NULL, Some(address.as_str()));
        let _ = match is_step {
            true => history.push_state_with_url(&none, "", address),
            false => history.replace_state_with_url(&none, "", address),
        };
    }
    spawn_local(load(state));
}

async fn load(state: State) {
    let asked = ASKED.get() + 1;
    ASKED.set(asked);
    let is_last = move || ASKED.get() == asked;
    let read = match state.page {
        Page::Matrix => mesh(state, is_last).await,
        Page::Client => timeline(state, is_last).await,
        Page::Targets => targets(state, is_last).await,
        Page::Health => health(state, is_last).await,
        Page::NotFound => return,
    };
    if is_last() {
        let problem = read.is_none().then(|| Problem {
            message: "the peer does not answer; what is shown may be old".to_owned(),
            ..Problem::default()
        });
        change(state.problem, problem);
    }
}

async fn mesh(state: State, is_last: impl Fn() -> bool) -> Option<()> {
    let search = state.query.with_untracked(address::search);
    let mut mesh: MeshPage = fetch::read(&format!("/api/mesh{search}")).await?;
    if is_last() {
        recent::freshen(&mut mesh);
        state.matrix.put(mesh);
    }
    Some(())
}

/// Reads a client's timeline.
pub(super) async fn timeline_of(
    track: Track,
    client_id: &str,
    before: Option<&str>,
) -> Option<Timeline> {
    let (track, client_id) = (track.as_str(), address::encode(client_id));
    let before = before
        .map(|before| format!("&before={}", address::encode(before)))
        .unwrap_or_default();
    fetch::read(&format!(
        "/api/timeline?track={track}&clientId={client_id}{before}"
    ))
    .await
}

async fn timeline(state: State, is_last: impl Fn() -> bool) -> Option<()> {
    let key = state.timeline.with_untracked(|timeline| {
        timeline
            .as_ref()
            .map(|timeline| (timeline.track, timeline.client_id.clone()))
    });
    let (track, client_id) = key?;
    let before = state.query.with_untracked(|query| query.cursor.clone());
    let timeline = timeline_of(track, &client_id, before.as_deref()).await?;
    if is_last() {
        change(state.timeline, Some(timeline));
    }
    Some(())
}

async fn targets(state: State, is_last: impl Fn() -> bool) -> Option<()> {
    #[derive(Deserialize)]
    struct Inventory {
        targets: Vec<TargetState>,
    }
    let inventory: Inventory = fetch::read("/api/state?limit=1").await?;
    if is_last() {
        change(state.targets, Some(inventory.targets));
    }
    Some(())
}

async fn health(state: State, is_last: impl Fn() -> bool) -> Option<()> {
    let health: MeshHealth = fetch::read("/api/mesh/health").await?;
    if is_last() {
        change(state.health, Some(health));
    }
    Some(())
}

fn from_address() -> Query {
    let search = window().location().search().unwrap_or_default();
    let Ok(parameters) = web_sys::UrlSearchParams::new_with_str(&search) else {
        return Query::default();
    };
    let parameter = |name| parameters.get(name).filter(|value| !value.is_empty());
    Query {
        filter: parameter("filter"),
        show: parameter("show"),
        sort: parameter("sort"),
        cursor: parameter("cursor"),
    }
}
