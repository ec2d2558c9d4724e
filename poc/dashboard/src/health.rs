//! How each peer is, and what to do next.

use leptos::either::Either;
use leptos::prelude::*;
use mesh_api::health::{PeerHealth, PeerState};
use mesh_api::routes::Operation;

use crate::entry::Form;
use crate::page::Query;
use crate::state::State;
use crate::{address, icon, time, words};

/// The page of the mesh's health.
pub(crate) fn page(state: State) -> impl IntoView + use<> {
    let names = Memo::new(move |_| {
        state.health.with(|health| {
            let peers = health.iter().flat_map(|health| &health.peers);
            peers.map(|peer| peer.name.clone()).collect::<Vec<_>>()
        })
    });
    let summary = move || {
        state.health.with(|health| {
            let peers = health
                .as_ref()
                .map(|health| health.peers.as_slice())
                .unwrap_or_default();
            let ready = peers
                .iter()
                .filter(|peer| peer.state == PeerState::Ready)
                .count();
            match (ready, peers.len()) {
                (_, 0) => "Nothing is known of the peers".to_owned(),
                (ready, all) if ready == all => format!("All {all} peers are ready"),
                (ready, all) => format!("{ready} of {all} peers are ready"),
            }
        })
    };
    view! {
        <section class="health" aria-labelledby="health">
            <div class="headline"><h1 id="health">{summary}</h1></div>
            <ul class="peers">
                <For each=move || names.get() key=|name| name.clone() children=move |name| peer(state, name)/>
            </ul>
        </section>
    }
}

/// One peer. It is drawn again only when it changed.
fn peer(state: State, name: String) -> impl IntoView + use<> {
    let wanted = name.clone();
    let peer = Memo::new(move |_| {
        state.health.with(|health| {
            let mut peers = health.iter().flat_map(|health| &health.peers);
            peers
                .find(|peer| peer.name == wanted)
                .cloned()
                .unwrap_or_default()
        })
    });
    let kind = Memo::new(move |_| peer.with(|peer| peer.state));
    view! {
        <li class=move || format!("peer-card {}", words::of_peer(kind.get()))>
            <h2>
                <bdi>{name}</bdi>
                " "
                {move || peer.with(|peer| peer.is_self).then(|| view! { <span class="tag">"this peer"</span> })}
            </h2>
            <p class="state">{icon::shape(move || icon::of_peer(kind.get()))} {move || words::of_peer(kind.get())}</p>
            {move || peer.with(advice)}
            {move || peer.with(|peer| facts(state, peer))}
            {move || {
                let (name, running) = (peer.with(|peer| peer.name.clone()), kind.get() != PeerState::Stopped);
                peer.with(|peer| peer.controllable).then(|| control(state, &name, running)).flatten()
            }}
        </li>
    }
}

/// What it lacks, and what to do about it.
fn advice(peer: &PeerHealth) -> impl IntoView + use<> {
    let missing: Vec<_> = peer
        .missing
        .iter()
        .map(|missing| view! { <li><strong>{missing.name.clone()}</strong> ": " {missing.reason.clone()}</li> })
        .collect();
    let advice: Vec<_> = peer
        .advice
        .iter()
        .cloned()
        .map(|advice| view! { <li>{advice}</li> })
        .collect();
    let any = !missing.is_empty();
    let anything = !advice.is_empty();
    view! {
        {any.then(|| view! { <ul class="lacks">{missing}</ul> })}
        {anything.then(|| view! { <div class="advice"><h3>"What to do"</h3><ul>{advice}</ul></div> })}
    }
}

fn facts(state: State, peer: &PeerHealth) -> impl IntoView + use<> {
    let queue = peer.queue.map(|queue| {
        let consumers = match queue.consumers {
            0 => "nobody consumes".to_owned(),
            1 => "1 consumer".to_owned(),
            many => format!("{many} consumers"),
        };
        format!("{} waiting, {consumers}", queue.messages)
    });
    let attention = Query {
        show: Some("attention".to_owned()),
        ..Query::default()
    };
    let drift = match peer.drift {
        0 => Either::Left("none"),
        many => {
            let words = if many == 1 {
                "1 client differs".to_owned()
            } else {
                format!("{many} clients differ")
            };
            Either::Right(view! { <a href=address::matrix(&attention)>{words}</a> })
        }
    };
    let url = peer.url.clone().map(|url| {
        let safe = url.starts_with("http://") || url.starts_with("https://");
        view! { <dt>"Address"</dt><dd><a href=safe.then(|| url.clone())>{url.clone()}</a></dd> }
    });
    view! {
        <dl class="facts">
            <dt>"Queue"</dt>
            <dd>{queue.unwrap_or_else(|| "not known".to_owned())}</dd>
            <dt>"Last sync"</dt>
            <dd>{match peer.last_sync_at {
                Some(at) => Either::Left(time::ago(state, at)),
                None => Either::Right(never_synced(peer)),
            }}</dd>
            <dt>"Drift"</dt>
            <dd>{drift}</dd>
            {url}
        </dl>
    }
}

/// Why there is no last sync.
fn never_synced(peer: &PeerHealth) -> &'static str {
    match peer.state {
        _ if peer.receives_only => "receives only",
        PeerState::Ready | PeerState::Unavailable => "none yet",
        PeerState::Stopped | PeerState::Unreachable => "not known",
    }
}

/// Stops and starts it, where this process can and the caller may.
fn control(state: State, name: &str, running: bool) -> Option<impl IntoView + use<>> {
    let (operation, label, busy, class) = match running {
        true => (Operation::StopPeer, "Stop this peer", "Stopping…", "quiet"),
        false => (
            Operation::StartPeer,
            "Start this peer",
            "Starting…",
            "primary",
        ),
    };
    let verb = if running { "stop" } else { "start" };
    let action = format!("/api/mesh/peers/{}/{verb}", address::encode(name));
    let form = Form::scoped(state, format!("control-{name}"), action, operation, |_| {
        false
    })?;
    Some(form.around(view! {
        {form.general_mistake()}
        {form.send(label, busy, class)}
    }))
}
