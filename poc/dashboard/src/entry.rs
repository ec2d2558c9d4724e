//! What is entered in a form, and what came of it: what its drawing and its sending share.

use leptos::prelude::*;
use mesh_api::outcome::Outcome;
use mesh_api::routes::Operation;

use crate::state::State;

/// One form. Handles only: copies share it.
#[derive(Clone)]
pub(crate) struct Form {
    /// The page's knowledge.
    pub(crate) state: State,
    /// Its id, and what the ids of its fields begin with.
    pub(crate) id: String,
    /// The operation it asks for.
    pub(crate) operation: Operation,
    /// Where it posts to.
    pub(crate) action: String,
    /// What came of it, once it was sent.
    pub(crate) outcome: RwSignal<Option<Outcome>>,
    /// Whether it is on its way.
    pub(crate) pending: RwSignal<bool>,
    /// What is said of a secret that was made or copied here.
    pub(crate) note: RwSignal<&'static str>,
    /// What was entered in a form that was refused, by field; given back once.
    pub(crate) entered: StoredValue<Option<Outcome>>,
    /// The fields that are shown.
    pub(crate) fields: StoredValue<Vec<&'static str>>,
}

impl Form {
    /// A form of an operation; `None` where the caller may not do it.
    pub(crate) fn new(state: State, operation: Operation) -> Option<Self> {
        let action = format!("/api{}", operation.path());
        Self::scoped(state, operation.as_str(), action, operation, |_| true)
    }

    /// One of several forms of an operation; `mine` tells what came of this one. `None` where the caller may not do it.
    pub(crate) fn scoped(
        state: State,
        id: impl Into<String>,
        action: impl Into<String>,
        operation: Operation,
        mine: impl Fn(&Outcome) -> bool,
    ) -> Option<Self> {
        if !state.may(operation) {
            return None;
        }
        let outcome = state
            .said
            .get_untracked()
            .filter(|outcome| outcome.operation == operation && mine(outcome));
        Some(Self {
            state,
            id: id.into(),
            operation,
            action: action.into(),
            entered: StoredValue::new(outcome.clone().filter(|outcome| !outcome.ok)),
            outcome: RwSignal::new(outcome),
            pending: RwSignal::new(false),
            note: RwSignal::new(""),
            fields: StoredValue::default(),
        })
    }

    /// Tells whether it was sent and refused before this page was drawn.
    pub(crate) fn was_refused(&self) -> bool {
        self.entered.with_value(Option::is_some)
    }

    /// What was entered in a field before, or else `default`.
    pub(crate) fn value(&self, field: &str, default: &str) -> String {
        self.entered.with_value(|entered| {
            let entered = entered.as_ref().and_then(|outcome| outcome.value(field));
            entered.unwrap_or(default).to_owned()
        })
    }

    /// Tells whether a choice was made before, or else whether it is made by `default`.
    pub(crate) fn chose(&self, field: &str, choice: &str, default: bool) -> bool {
        self.entered.with_value(|entered| match entered {
            Some(outcome) => outcome
                .values
                .get(field)
                .is_some_and(|chosen| chosen.iter().any(|one| one == choice)),
            None => default,
        })
    }
}
