//! Sends forms in place, and says what came of them.

use std::collections::BTreeMap;
use std::time::Duration;

use leptos::ev::SubmitEvent;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use mesh_api::outcome::Outcome;
use mesh_api::problem::Problem;
use mesh_api::routes::Operation;
use wasm_bindgen::JsCast;
use web_sys::{FormData, HtmlElement, HtmlFormElement, HtmlInputElement, UrlSearchParams};

use crate::browser::fetch::{self, Answer};
use crate::browser::matrix::{refresh, timeline_of};
use crate::entry::Form;
use crate::state::driven;

/// Fields whose text may be read here: no secret is among them.
const PLAIN: [&str; 4] = ["clientId", "track", "target", "targetAmqpQueue"];

/// Sends a form in place. While it is on its way it is not sent again.
pub(crate) fn submit(event: &SubmitEvent, form: &Form) {
    event.prevent_default();
    let element = event
        .target()
        .and_then(|target| target.dyn_into::<HtmlFormElement>().ok());
    let Some(element) = element.filter(|_| !form.pending.get_untracked()) else {
        return;
    };
    // The form goes from the browser's objects to the network: its secret never enters the memory of this program.
    let Ok(data) = FormData::new_with_form(&element) else {
        return;
    };
    let Ok(body) = UrlSearchParams::new_with_str_sequence_sequence(&data) else {
        return;
    };
    form.pending.set(true);
    let form = form.clone();
    spawn_local(async move {
        let answer = fetch::post(&form.action, &body).await;
        let outcome = outcome(form.operation, answer, plain(&data));
        form.pending.set(false);
        if outcome.ok {
            clear(&element, &form);
            follow(&form, &outcome);
            refresh(form.state);
        } else {
            focus(&form, outcome.field.clone());
        }
        form.outcome.set(Some(outcome.clone()));
        form.state.said.set(Some(outcome));
    });
}

/// Checks all boxes of a group, or none.
pub(crate) fn check_all(group: NodeRef<html::Fieldset>, checked: bool) {
    let Some(group) = group.get_untracked() else {
        return;
    };
    let Ok(boxes) = group.query_selector_all("input[type=checkbox]") else {
        return;
    };
    for index in 0..boxes.length() {
        if let Some(input) = boxes
            .get(index)
            .and_then(|node| node.dyn_into::<HtmlInputElement>().ok())
        {
            input.set_checked(checked);
        }
    }
}

fn plain(data: &FormData) -> BTreeMap<String, Vec<String>> {
    let fields = PLAIN.into_iter();
    fields
        .filter_map(|name| Some((name.to_owned(), vec![data.get(name).as_string()?])))
        .collect()
}

/// What came of it, as the peer would say it to a page without JavaScript.
fn outcome(
    operation: Operation,
    answer: Option<Answer>,
    values: BTreeMap<String, Vec<String>>,
) -> Outcome {
    let failed = |message: &str| Problem {
        message: message.to_owned(),
        ..Problem::default()
    };
    let answered = match answer {
        None => Err(failed(
            "the peer did not answer: nothing is known of what it did",
        )),
        Some(Answer { ok: true, body, .. }) => Ok(serde_json::from_str(&body).unwrap_or_default()),
        Some(Answer {
            ok: false, body, ..
        }) => Err(serde_json::from_str(&body).unwrap_or_else(|_| failed("the peer failed"))),
    };
    Outcome::new(operation, &answered, values)
}

/// Empties the form, so that no secret stays in it.
fn clear(element: &HtmlFormElement, form: &Form) {
    if form.operation != Operation::CallTarget {
        element.reset();
    }
    form.note.set("");
    if let Ok(Some(secret)) = element.query_selector(".secret input")
        && let Some(secret) = secret.dyn_ref::<HtmlInputElement>()
    {
        secret.set_value("");
        secret.set_type("password");
    }
}

/// Shows the change's way through the mesh.
fn follow(form: &Form, outcome: &Outcome) {
    let state = form.state;
    let Some(key) = driven(outcome) else {
        return;
    };
    state.driven_client.set(None);
    state.driven.set(Some(key.clone()));
    spawn_local(async move {
        let timeline = timeline_of(key.0, &key.1, None).await;
        let is_still = state
            .driven
            .with_untracked(|driven| driven.as_ref() == Some(&key));
        // An event that came meanwhile is newer.
        if is_still && state.driven_client.with_untracked(Option::is_none) {
            state
                .driven_client
                .set(timeline.and_then(|timeline| timeline.client));
        }
    });
}

/// Moves the focus to the field that is wrong, once it says so.
fn focus(form: &Form, field: Option<String>) {
    let Some(id) = field.map(|field| format!("{}-{field}", form.id)) else {
        return;
    };
    let there = move || {
        let Some(field) = document().get_element_by_id(&id) else {
            return;
        };
        if let Ok(Some(details)) = field.closest("details") {
            let _ = details.set_attribute("open", "");
        }
        if let Some(field) = field.dyn_ref::<HtmlElement>() {
            let _ = field.focus();
        }
    };
    set_timeout(there, Duration::ZERO);
}
