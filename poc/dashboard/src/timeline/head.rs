//! The head of a change.

use leptos::prelude::*;

use crate::history::{self, Change};
use crate::moment::duration;
use crate::state::State;
use crate::{icon, name, time};

/// A change's head: which one, what, when, and how far it came.
pub(super) fn head(state: State, change: &Change, newest: bool) -> impl IntoView + use<> {
    let (reached, targets) = (change.reached(), change.lanes.len());
    let took = change.ended().map(|ended| duration(ended - change.at));
    let (class, words) = match (targets, took) {
        (0, _) => ("in-sync", "on this peer only".to_owned()),
        (_, Some(took)) => ("in-sync", format!("{} in {took}", all(targets))),
        _ if newest => ("behind", format!("{reached} of {targets} acknowledged")),
        _ => (
            "none",
            format!("{reached} of {targets} acknowledged, then overtaken"),
        ),
    };
    let by = change.by.as_deref().map(by);
    view! {
        <div class="change">
            <span class="number">{format!("#{}", change.generation)}</span>
            <strong>{history::words(&change.what).to_owned()}</strong>
            {by}
            <span class="when">{time::both(state, change.at)}</span>
            <span class=format!("reached {class}")>{icon::shape(move || class)} {words}</span>
        </div>
    }
}

/// Who asked for it: a text of somebody else, which may run in the other direction.
fn by(actor: &str) -> impl IntoView + use<> {
    view! { <span class="by">"by " <bdi>{name::shown(actor)}</bdi></span> }
}

fn all(targets: usize) -> String {
    match targets {
        1 => "the target acknowledged".to_owned(),
        many => format!("all {many} acknowledged"),
    }
}
