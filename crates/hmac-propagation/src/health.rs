//! How the parts of a propagator are doing, for its status.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::lock::lock;

/// The last failure of each part, and the last sync that ended well.
#[derive(Default)]
pub(crate) struct Health(Mutex<State>);

#[derive(Default)]
struct State {
    last_sync_at_ms: Option<i64>,
    errors: BTreeMap<&'static str, String>,
}

impl Health {
    /// Notes that `part` failed, or works again.
    pub(crate) fn note(&self, part: &'static str, error: Option<String>) {
        let errors = &mut lock(&self.0).errors;
        match error {
            Some(error) => errors.insert(part, error),
            None => errors.remove(part),
        };
    }

    pub(crate) fn note_sync(&self, at_ms: i64) {
        lock(&self.0).last_sync_at_ms = Some(at_ms);
    }

    /// When the last sync ended well, epoch milliseconds.
    pub(crate) fn last_sync_at_ms(&self) -> Option<i64> {
        lock(&self.0).last_sync_at_ms
    }

    /// What does not work, part by part; `None` when all does.
    pub(crate) fn last_error(&self) -> Option<String> {
        let state = lock(&self.0);
        let errors = state.errors.iter();
        let lines: Vec<_> = errors
            .map(|(part, error)| format!("{part}: {error}"))
            .collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }
}
