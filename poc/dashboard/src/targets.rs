//! The inventory: the peers that changes are sent to.

use leptos::either::Either;
use leptos::prelude::*;
use mesh_api::outcome::Outcome;
use mesh_api::routes::Operation;
use mesh_api::target::TargetState;

use crate::entry::Form;
use crate::field::{NAME, NEWER, NOTE, PROPAGATION_SECRET};
use crate::state::State;
use crate::{address, caller, time};

/// The inventory's page.
pub(crate) fn page(state: State) -> impl IntoView + use<> {
    let list = move || {
        state.targets.get().map(|targets| {
            let others = targets.iter().any(|target| !target.is_self);
            let rows = targets
                .into_iter()
                .enumerate()
                .map(|(index, target)| item(state, index, target))
                .collect_view();
            view! { <ul class="inventory">{rows}</ul> {(!others).then(|| nothing(state))} }
        })
    };
    let panel = match add(state) {
        Some(add) => Either::Left(add),
        None => Either::Right(caller::only_others(Operation::PutTarget)),
    };
    view! {
        <div class="with-panel">
            <section aria-labelledby="targets">
                <div class="headline">
                    <div>
                        <h1 id="targets">"Targets"</h1>
                        <p class="lead">"The peers that changes made here are sent to."</p>
                    </div>
                </div>
                {list}
            </section>
            <aside class="panel" aria-label="Add a target">{panel}</aside>
        </div>
    }
}

fn nothing(state: State) -> impl IntoView + use<> {
    let next = state.may(Operation::PutTarget).then_some(
        " Add the first target: the name of another peer, and the secret its events bear.",
    );
    view! {
        <div class="empty">
            <h2>"No target yet"</h2>
            <p>"What is ensured here stays on this peer." {next}</p>
        </div>
    }
}

/// `None` where the caller may not.
fn add(state: State) -> Option<impl IntoView> {
    let listed = move |name: &str| {
        state.targets.with_untracked(|targets| {
            targets
                .iter()
                .flatten()
                .any(|target| target.target_amqp_queue == name)
        })
    };
    let mine = move |outcome: &Outcome| {
        outcome.ok
            || !outcome.value("targetAmqpQueue").is_some_and(listed)
            || outcome.field.as_deref() == Some(NAME.name)
    };
    let form = Form::scoped(
        state,
        "putTarget",
        "/api/targets",
        Operation::PutTarget,
        mine,
    )?;
    Some(form.around(view! {
        <h2>"Add a target"</h2>
        <p class="purpose">"A known name gets the new secret and note."</p>
        {form.text(NAME, "", "")}
        {form.secret(PROPAGATION_SECRET)}
        {form.text(NOTE, "", "")}
        {form.general_mistake()}
        {form.send("Save target", "Saving…", "primary")}
    }))
}

fn item(state: State, index: usize, target: TargetState) -> impl IntoView + use<> {
    let booked = match target.booked_clients {
        1 => "1 client booked".to_owned(),
        many => format!("{many} clients booked"),
    };
    let since = view! { " · changed " {time::ago(state, target.updated_at)} };
    // That of its own row is written at start, and says what the tag says.
    let note = target.note.clone().filter(|_| !target.is_self);
    let actions = if target.is_self {
        Either::Left(view! {
            <p class="locked">
                <span class="tag">"locked"</span>
                " Its row signs the acknowledgements it sends back, so it comes from the configuration ("
                <code>"PROPAGATION_SECRET"</code> ") and can be neither changed nor deleted here."
            </p>
        })
    } else {
        Either::Right(actions(state, index, &target))
    };
    view! {
        <li class="target">
            <div class="what">
                <h2>
                    <bdi>{target.target_amqp_queue}</bdi>
                    " "
                    {target.is_self.then(|| view! { <span class="tag">"this peer"</span> })}
                </h2>
                <p class="facts">{booked} {since}</p>
                {note.map(|note| view! { <p class="remark">{note}</p> })}
            </div>
            {actions}
        </li>
    }
}

/// What the caller may do with a target; `None` where that is nothing.
fn actions(state: State, index: usize, target: &TargetState) -> Option<impl IntoView + use<>> {
    let resync = resync(state, index, target);
    let edit = edit(state, index, target);
    let delete = delete(state, index, target);
    let any = resync.is_some() || edit.is_some() || delete.is_some();
    any.then(|| view! { <div class="actions">{resync} {edit} {delete}</div> })
}

fn resync(state: State, index: usize, target: &TargetState) -> Option<impl IntoView + use<>> {
    let name = target.target_amqp_queue.clone();
    let form = Form::scoped(
        state,
        format!("resync-{index}"),
        "/api/resync",
        Operation::Resync,
        named("target", &name),
    )?;
    Some(form.around(view! {
        <input type="hidden" name="target" value=name/>
        {form.consent(NEWER, "overwrite")}
        {form.send("Send all again", "Sending…", "quiet")}
    }))
}

fn edit(state: State, index: usize, target: &TargetState) -> Option<impl IntoView + use<>> {
    let name = target.target_amqp_queue.clone();
    let mine = named("targetAmqpQueue", &name);
    let mine = move |outcome: &Outcome| {
        !outcome.ok && outcome.field.as_deref() != Some(NAME.name) && mine(outcome)
    };
    let form = Form::scoped(
        state,
        format!("edit-{index}"),
        "/api/targets",
        Operation::PutTarget,
        mine,
    )?;
    Some(view! {
        <details open=form.was_refused()>
            <summary>"Change"</summary>
            {form.around(view! {
                <input type="hidden" name="targetAmqpQueue" value=name/>
                {form.secret(PROPAGATION_SECRET)}
                {form.text(NOTE, target.note.as_deref().unwrap_or_default(), "")}
                {form.general_mistake()}
                {form.send("Save changes", "Saving…", "primary")}
            })}
        </details>
    })
}

/// Asks once more, and says what stands against it.
fn delete(state: State, index: usize, target: &TargetState) -> Option<impl IntoView + use<>> {
    let name = target.target_amqp_queue.clone();
    let action = format!("/api/targets/{}", address::encode(&name));
    let form = Form::scoped(
        state,
        format!("delete-{index}"),
        action,
        Operation::DeleteTarget,
        |_| false,
    )?;
    let words = match target.booked_clients {
        0 => format!("No client is booked for {name}. Changes are not sent to it any more."),
        1 => format!(
            "1 client is booked for {name}. Revoke it there first: until then the target stays."
        ),
        many => format!(
            "{many} clients are booked for {name}. Revoke them there first: until then the target stays."
        ),
    };
    Some(view! {
        <details>
            <summary class="dangerous">"Delete"</summary>
            {form.around(view! {
                <input type="hidden" name="_method" value="DELETE"/>
                <p>{words}</p>
                {form.general_mistake()}
                {form.send("Delete this target", "Deleting…", "danger")}
            })}
        </details>
    })
}

/// Tells whether an outcome is about what was entered in a field.
fn named(field: &'static str, value: &str) -> impl Fn(&Outcome) -> bool + use<> {
    let value = value.to_owned();
    move |outcome| outcome.value(field) == Some(value.as_str())
}
