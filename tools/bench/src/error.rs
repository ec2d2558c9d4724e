//! What goes wrong in a benchmark is printed, whatever it is.

/// Any error.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
