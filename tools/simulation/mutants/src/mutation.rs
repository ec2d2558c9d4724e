//! Which mutation is on.

use std::cell::Cell;

include!(concat!(env!("OUT_DIR"), "/table.rs"));

thread_local! {
    static ON: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Switches a mutation on for this thread, and every other off; `false` when there is none of that name.
pub fn switch_on(name: &str) -> bool {
    let place = ALL.iter().position(|(known, _)| *known == name);
    ON.set(place.unwrap_or(usize::MAX));
    place.is_some()
}

/// Switches every mutation off for this thread.
pub fn switch_off() {
    ON.set(usize::MAX);
}

/// Tells whether the mutation at this place of [`ALL`] is on.
pub(crate) fn is(place: usize) -> bool {
    ON.get() == place
}
