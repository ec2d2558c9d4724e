//! What a form did, said once for the whole page, and what could not be shown.

use leptos::prelude::*;

use crate::field::label;
use crate::form::sentence;
use crate::state::State;

/// What the last form did.
pub(crate) fn notice(state: State) -> impl IntoView + use<> {
    let words = move || {
        state.said.with(|said| {
            let outcome = said.as_ref()?;
            let label = outcome.field.as_deref().map(label).unwrap_or_default();
            Some(sentence(label, &outcome.message))
        })
    };
    let class = move || {
        state.said.with(|said| match said {
            None => "notice",
            Some(outcome) if outcome.ok => "notice done",
            Some(_) => "notice refused",
        })
    };
    view! {
        <div id="said" class=class role="status" tabindex="-1">
            <p>{words}</p>
            <button type="button" class="link live-only" on:click=move |_| state.said.set(None)>"Dismiss"</button>
        </div>
    }
}

/// Why something is not shown.
pub(crate) fn problem(state: State) -> impl IntoView {
    move || {
        state.problem.get().map(|problem| {
            view! {
                <div class="problem" role="alert">
                    <p>
                        <strong>"Not all can be shown. "</strong>
                        {sentence(problem.field.as_deref().map(label).unwrap_or_default(), &problem.message)}
                    </p>
                    <p>
                        <a href="/health">"Mesh health"</a>
                        " says what is missing and what to do; reload this page afterwards."
                    </p>
                </div>
            }
        })
    }
}
