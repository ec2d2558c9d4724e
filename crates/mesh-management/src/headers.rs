//! The headers of a request, whatever the framework.

/// Reads a header of the request as text; `None` when absent or no text.
pub trait HeaderText {
    /// Looks up `name` (lower case).
    fn text(&self, name: &str) -> Option<&str>;
}
