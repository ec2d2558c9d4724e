//! Words for whoever reads a program's output, who may leave before its end: a print macro panics then.

use std::fmt::Display;
use std::io::{Write as _, stderr, stdout};

/// Nobody reads what the program prints any more (`cargo demo | head`). A program ends on it, and says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads the output any more")]
pub struct OutputGone;

/// Prints a line on the standard output.
///
/// # Errors
/// [`OutputGone`].
pub fn say(text: impl Display) -> Result<(), OutputGone> {
    writeln!(stdout().lock(), "{text}").map_err(|_| OutputGone)
}

/// Prints a line on the error output, where there is one.
pub fn complain(text: impl Display) {
    // Nobody is left to be told.
    let _ = writeln!(stderr().lock(), "{text}");
}
