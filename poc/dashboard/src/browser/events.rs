//! Events of the peer: each changes what it is about, and nothing else is drawn again.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use mesh_api::health::PeerHealth;
use mesh_api::mesh::{MeshClient, MeshSummary, PeerSummary};
use mesh_api::track::Track;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Event, EventSource, MessageEvent};

use crate::address;
use crate::browser::matrix::refresh;
use crate::browser::{fetch, recent};
use crate::page::Page;
use crate::state::{Connection, State, change};

/// A peer that refused the stream is asked again after this long.
const ASK_AGAIN: Duration = Duration::from_secs(10);

thread_local! {
    static SOURCE: RefCell<Option<EventSource>> = const { RefCell::new(None) };
    /// Whether there was a stream before this one: then changes may have been missed.
    static WAS_LIVE: Cell<bool> = const { Cell::new(false) };
}

/// The first event of a stream: what it is a stream of.
#[derive(Deserialize)]
struct Hello {
    since: i64,
    revision: u64,
}

/// What every event about the matrix bears.
#[derive(Deserialize)]
struct Revision {
    revision: u64,
}

/// Sums over all clients.
#[derive(Deserialize)]
struct Sums {
    revision: u64,
    summary: MeshSummary,
    peers: Vec<PeerSummary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gone {
    client_id: String,
    track: Track,
    revision: u64,
}

/// Follows the events for as long as the page can be seen.
pub(super) fn follow(state: State) {
    let seen = window_event_listener_untyped("visibilitychange", move |_| {
        if document().hidden() {
            close(state)
        } else {
            open(state)
        }
    });
    let left = window_event_listener(ev::pagehide, move |_| close(state));
    let shown = window_event_listener(ev::pageshow, move |_| open(state));
    // They live as long as the page.
    std::mem::forget((seen, left, shown));
    if !document().hidden() {
        open(state);
    }
}

fn close(state: State) {
    if let Some(source) = SOURCE.take() {
        source.close();
        state.connection.set(Connection::Still);
    }
}

fn open(state: State) {
    if SOURCE.with_borrow(Option::is_some) {
        return;
    }
    let Ok(source) = EventSource::new("/api/mesh/events") else {
        return;
    };
    on(&source, "hello", move |data| {
        state.connection.set(Connection::Live);
        if let Some(hello) = read::<Hello>(data) {
            greet(state, &hello);
        }
    });
    on(&source, "client", move |data| {
        if let (Some(at), Some(client)) = (read::<Revision>(data), read::<MeshClient>(data)) {
            take(state, at.revision, client);
        }
    });
    on(&source, "gone", move |data| {
        if let Some(gone) = read::<Gone>(data) {
            take_gone(state, gone);
        }
    });
    on(&source, "summary", move |data| {
        if let Some(sums) = read::<Sums>(data)
            && recent::sums(sums.revision, sums.summary, &sums.peers)
        {
            change(state.matrix.summary, sums.summary);
            change(state.matrix.peers, sums.peers);
        }
    });
    on(&source, "health", move |data| {
        if let Some(peer) = read::<PeerHealth>(data) {
            take_health(state, peer);
        }
    });
    on(&source, "reload", move |_| refresh(state));
    on(&source, "error", move |_| lost(state));
    SOURCE.replace(Some(source));
}

/// The browser connects again by itself, but not where it was refused. Who has signed in may be refused because the session has
/// ended: the gateway is asked, once for each refusal. A stream that just ends asks nothing: the next one renews what has expired.
fn lost(state: State) {
    state.connection.set(Connection::Lost);
    let is_closed = |source: &EventSource| source.ready_state() == EventSource::CLOSED;
    if !SOURCE.with_borrow(|source| source.as_ref().is_some_and(is_closed)) {
        return;
    }
    SOURCE.take();
    if !state.has_session() {
        return open_later(state);
    }
    spawn_local(async move {
        match fetch::get(address::SESSION).await {
            Some(answer) if answer.status == 401 => sign_in(state),
            // A gateway that does not answer, none at all, or a session that goes on.
            _ => open_later(state),
        }
    });
}

fn open_later(state: State) {
    let again = move || {
        if !document().hidden() {
            open(state);
        }
    };
    set_timeout(again, ASK_AGAIN);
}

/// Leaves for the gateway's form, which leads back to this page.
fn sign_in(state: State) {
    if window()
        .location()
        .assign(&address::login(&state.back()))
        .is_err()
    {
        open_later(state);
    }
}

fn on(source: &EventSource, name: &str, take: impl Fn(&str) + 'static) {
    let listener = Closure::<dyn Fn(Event)>::new(move |event: Event| {
        let data = event
            .dyn_ref::<MessageEvent>()
            .and_then(|event| event.data().as_string());
        take(&data.unwrap_or_default());
    });
    let _ = source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
    listener.forget();
}

fn read<T: DeserializeOwned>(data: &str) -> Option<T> {
    serde_json::from_str(data).ok()
}

/// Begins to follow. What changed between the page and the stream was told to nobody.
fn greet(state: State, hello: &Hello) {
    recent::begin(hello.since);
    let drawn_from = (hello.since, hello.revision);
    let missed = match state.page {
        Page::Matrix => state.matrix.drawn_from.get_value() != drawn_from,
        Page::Client => true,
        _ => false,
    };
    if WAS_LIVE.replace(true) || missed {
        refresh(state);
    }
}

fn take(state: State, revision: u64, client: MeshClient) {
    let key = client.key();
    let is_driven = state
        .driven
        .with_untracked(|driven| driven.as_ref() == Some(&key));
    if is_driven {
        change(state.driven_client, Some(client.clone()));
    }
    let is_news = recent::row(revision, key.clone(), Some(client.clone()));
    match state.page {
        Page::Matrix if is_news && !state.matrix.patch(&client) && belongs(state, &client) => {
            refresh(state)
        }
        Page::Client => {
            let is_mine = state.timeline.with_untracked(|timeline| {
                timeline
                    .as_ref()
                    .is_some_and(|mine| mine.client_id == key.1 && mine.track == key.0)
            });
            if is_mine {
                refresh(state);
            }
        }
        _ => {}
    }
}

/// Tells whether a client without a row may have one now.
fn belongs(state: State, client: &MeshClient) -> bool {
    state.query.with_untracked(|query| {
        let filtered = query
            .filter
            .as_deref()
            .is_none_or(|filter| client.client_id.contains(filter));
        let shown = query.show.as_deref() != Some("attention") || client.attention;
        filtered && shown
    })
}

fn take_gone(state: State, gone: Gone) {
    let key = (gone.track, gone.client_id);
    recent::row(gone.revision, key.clone(), None);
    let has_row = state
        .matrix
        .rows
        .with_untracked(|rows| rows.iter().any(|row| row.key == key));
    if has_row || state.page == Page::Client {
        refresh(state);
    }
}

fn take_health(state: State, peer: PeerHealth) {
    state.health.maybe_update(|health| {
        let Some(health) = health.as_mut() else {
            return false;
        };
        match health
            .peers
            .iter_mut()
            .find(|known| known.name == peer.name)
        {
            Some(known) if *known == peer => return false,
            Some(known) => *known = peer,
            None => health.peers.push(peer),
        }
        true
    });
}
