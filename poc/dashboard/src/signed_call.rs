//! A signed call to a peer's echo, and what came back.

use leptos::either::Either;
use leptos::prelude::*;
use mesh_api::call::{CallAnswer, SentRequest};
use mesh_api::routes::Operation;
use serde_json::Value;

use crate::entry::Form;
use crate::field::{CALLED, CLIENT_ID, SIGNING_SECRET};
use crate::state::State;

/// Calls a peer as a client; `client` is given on its own page. `None` where the caller may not.
pub(crate) fn form(state: State, client: &str) -> Option<impl IntoView + use<>> {
    let form = Form::new(state, Operation::CallTarget)?;
    let peers = state.peer_urls.get_value();
    if peers.is_empty() {
        return Some(Either::Left(view! {
            <p class="purpose">"This peer knows no other peer's address: set "<code>"PEER_URLS"</code>" and start it again to call one."</p>
        }));
    }
    let choices = peers.into_iter().map(|peer| (peer.clone(), peer)).collect();
    let answer = answer(&form);
    Some(Either::Right(form.around(view! {
        <p class="purpose">"Signs a request to a peer's " <code>"/api/echo"</code> " as a client would, and shows what comes back."</p>
        {form.text(CLIENT_ID, client, "client-ids")}
        {form.choice(CALLED, choices)}
        {form.secret(SIGNING_SECRET)}
        {form.general_mistake()}
        {form.send("Call the peer", "Calling…", "primary")}
        {answer}
    })))
}

fn answer(form: &Form) -> impl IntoView + use<> {
    let outcome = form.outcome;
    move || {
        let answer = outcome.with(|outcome| outcome.as_ref()?.answer.clone())?;
        serde_json::from_value(answer).ok().map(shown)
    }
}

/// What was sent, and what came back.
fn shown(answer: CallAnswer) -> impl IntoView {
    let (class, meaning) = match answer.status {
        200..300 => ("in-sync", "accepted"),
        401 | 403 => ("unexpected", "refused"),
        _ => ("behind", "answered"),
    };
    let body = match answer.body {
        Value::String(text) => text,
        other => serde_json::to_string_pretty(&other).unwrap_or_default(),
    };
    view! {
        <section class="answer" aria-label="Answer">
            <p class=format!("status {class}")>{crate::icon::shape(move || class)} <strong>{answer.status}</strong> " " {meaning}</p>
            {request(answer.request)}
            <h3>"Body"</h3>
            <pre tabindex="0">{body}</pre>
        </section>
    }
}

fn request(request: SentRequest) -> impl IntoView {
    let line = format!("{} {}", request.method, request.url);
    let headers = request.headers.into_iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| view! { <dt>{name}</dt><dd>{value}</dd> })
        .collect();
    view! {
        <h3>"Request"</h3>
        <p class="line"><code>{line}</code></p>
        <dl class="headers">{headers}</dl>
    }
}
