//! The headers of a request, whatever the framework.

use auth_base::request::Headers;

/// Reads headers of the request.
pub trait HeaderText: Sync {
    /// All values of `name` (lower case), in order, as raw bytes.
    fn all<'a>(&'a self, name: &str) -> Vec<&'a [u8]>;

    /// Reads the first value of `name` (lower case) as text; `None` when absent or no text.
    fn text<'a>(&'a self, name: &str) -> Option<&'a str> {
        let text = std::str::from_utf8(self.all(name).first()?).ok()?;
        text.bytes().all(is_visible).then_some(text)
    }
}

/// ASCII that a header is read with (RFC 9110, section 5.5).
fn is_visible(byte: u8) -> bool {
    byte == b'\t' || (b' '..=b'~').contains(&byte)
}

/// The same for what decides about tokens.
pub(crate) struct AsHeaders<'a>(pub(crate) &'a dyn HeaderText);

impl Headers for AsHeaders<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.all(name).into_iter()
    }
}
