//! Which mutation is on. `cargo mutations` adds this module, and the table `ALL` below it, to its copy of `hmac-propagation`.

use std::cell::Cell;

thread_local! {
    static ON: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Switches on the mutation at this place of [`ALL`] for this thread, or none; every other is off.
pub fn switch(place: Option<usize>) {
    ON.set(place.unwrap_or(usize::MAX));
}

/// Tells whether the mutation at this place of [`ALL`] is on.
pub(crate) fn is(place: usize) -> bool {
    ON.get() == place
}
