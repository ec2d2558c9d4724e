//! The head of a request, as the layer of any web framework shows it to what decides.

use std::borrow::Cow;

/// Reads header values; a thin view over the framework's own map.
pub trait Headers {
    /// Returns the values of header `name` (lower case), in order, as raw bytes.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;
}

/// Plain (name, value) pairs, for tests and for transports that have no map.
impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for Vec<(N, V)> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        values_of(self, name)
    }
}

/// The same in an array.
impl<N: AsRef<str>, V: AsRef<[u8]>, const LENGTH: usize> Headers for [(N, V); LENGTH] {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        values_of(self, name)
    }
}

fn values_of<'a, N: AsRef<str>, V: AsRef<[u8]>>(
    pairs: &'a [(N, V)],
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    pairs
        .iter()
        .filter(move |(own, _)| own.as_ref().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_ref())
}

/// The request target as the client sent it. HTTP/2 carries the authority outside of the target; in HTTP/1 it is there
/// only when the client wrote it there, and then `whole`, the URI with it, is what was sent.
pub fn sent_target(
    path_and_query: Option<&str>,
    authority_in_http_1: bool,
    whole: impl FnOnce() -> String,
) -> Cow<'_, str> {
    match path_and_query {
        Some(path_and_query) if !authority_in_http_1 => Cow::Borrowed(path_and_query),
        _ => Cow::Owned(whole()),
    }
}
