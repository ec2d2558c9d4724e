//! The normal form of the claim `htu`, the URL of a request (RFC 9449, section 4.3; RFC 3986, section 6.2).

use std::fmt;

use url::Url;

/// A URL may have so many bytes.
pub const MAX_URL_BYTES: usize = 4 * 1024;

/// The text is no URL that a request can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no http or https URL of visible ASCII characters with a host and without a user")]
pub struct InvalidHtu;

/// A URL without query and fragment, its scheme and host in lower case, without the default port, its dot segments
/// resolved. What else two spellings of a path differ in (`//`, a `/` at the end, `%7e`) they differ in here too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Htu(String);

impl Htu {
    /// Brings an absolute URL into the normal form.
    ///
    /// # Errors
    /// [`InvalidHtu`].
    pub fn parse(text: &str) -> Result<Self, InvalidHtu> {
        // The parser of browsers repairs what is not there (`http:host`, `http:///host`, `\`, line breaks): no repair here.
        let is_visible = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        let (_, behind) = text.split_once("://").ok_or(InvalidHtu)?;
        if text.len() > MAX_URL_BYTES || !text.bytes().all(is_visible) || behind.starts_with('/') {
            return Err(InvalidHtu);
        }
        let mut url = Url::parse(text).map_err(|_| InvalidHtu)?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || has_user {
            return Err(InvalidHtu);
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self(url.into()))
    }

    /// Puts the URL of a request together: `public_url`, under which the world knows this server, and the request target as it
    /// came, in origin form (RFC 9112, section 3.2.1).
    ///
    /// # Errors
    /// [`InvalidHtu`], also for a target that does not begin with `/`.
    pub fn of_request(public_url: &str, target: &str) -> Result<Self, InvalidHtu> {
        if !target.starts_with('/') || public_url.contains(['?', '#']) {
            return Err(InvalidHtu);
        }
        Self::parse(&format!("{}{target}", public_url.trim_end_matches('/')))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Htu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normal(text: &str) -> Option<String> {
        Htu::parse(text).ok().map(|htu| htu.0)
    }

    #[test]
    fn spellings_of_one_url_are_one() {
        for (text, expected) in [
            ("https://a.example/x", "https://a.example/x"),
            ("HTTPS://A.Example:443/x?q=1#f", "https://a.example/x"),
            ("http://a.example:80", "http://a.example/"),
            ("http://a.example:8080/", "http://a.example:8080/"),
            ("https://a.example:80/", "https://a.example:80/"),
            ("https://a.example/a/./b/../c", "https://a.example/a/c"),
            ("https://a.example/../../x", "https://a.example/x"),
            ("https://a.example/x/", "https://a.example/x/"),
            ("https://a.example//x", "https://a.example//x"),
            ("https://a.example/x//", "https://a.example/x//"),
            ("https://a.example/%7Ex", "https://a.example/%7Ex"),
            ("https://[::1]:443/x", "https://[::1]/x"),
            ("https://a.example/?x", "https://a.example/"),
            ("https://a.example?x", "https://a.example/"),
            ("https://a.example/X", "https://a.example/X"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_request_is_refused() {
        let long = format!("https://a.example/{}", "x".repeat(MAX_URL_BYTES));
        for wrong in [
            "",
            "/x",
            "a.example/x",
            "//a.example/x",
            "https:a.example",
            "https:/a.example",
            "https:///a.example",
            "https://",
            "https://u@a.example/",
            "https://:p@a.example/",
            "ftp://a.example/",
            "ws://a.example/",
            "file:///x",
            "https://a.example/\\x",
            "https:\\\\a.example",
            " https://a.example/",
            "https://a.example/ x",
            "https://a.example/\nx",
            "https://a.ex\tample/",
            "https://a.example/é",
            "https://a.example:99999/",
            "https://a b/",
            "data://x",
            &long,
        ] {
            assert_eq!(normal(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_request_is_known_by_the_public_url() {
        let of = |base: &str, target: &str| Htu::of_request(base, target).ok().map(|htu| htu.0);
        let expected = Some("https://a.example/x/y".to_owned());
        assert_eq!(of("https://a.example", "/x/y?q"), expected);
        assert_eq!(of("https://A.example:443/", "/x/./y"), expected);
        assert_eq!(of("https://a.example/x/", "/y"), expected);
        let inside = of("https://a.example", "//evil.example/x");
        assert_eq!(inside.as_deref(), Some("https://a.example//evil.example/x"));
        for wrong in [
            "",
            "x",
            "*",
            "@evil.example/",
            ":80/",
            "https://a.example/x",
        ] {
            assert_eq!(of("https://a.example", wrong), None, "{wrong}");
        }
        assert_eq!(of("https://a.example/?x", "/y"), None);
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(text in "(http|HTTPS)://[a-zA-Z.]{1,5}(:[0-9]{1,3})?(/|\\.|%2e|a|:|;|\\{){0,8}([?#].{0,3})?") {
            if let Some(once) = normal(&text) {
                prop_assert_eq!(normal(&once), Some(once));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            normal(&text);
            normal(&format!("https://{text}"));
        }
    }
}
