//! The page a form goes back to: a path of this site, never another site.

use std::borrow::Cow;

use mesh_api::problem::Problem;

/// Where a form goes that does not say.
pub(super) const DEFAULT: &str = "/";

/// A path is no longer than this, in bytes.
const LIMIT: usize = 2_048;

/// The parameter that says which outcome to show.
const SAID: &str = "said";

/// Checks the path of a page of this site, with its query and fragment.
///
/// # Errors
/// A 400 [`Problem`] at `back` for whatever a browser could read as another site, or that is no path.
pub(super) fn check(path: &str) -> Result<(), Problem> {
    let wrong = |message: &str| Err(Problem::invalid("back", message));
    if path.len() > LIMIT {
        return wrong("is too long");
    }
    // Browsers read a backslash as a slash, and drop tabs and line ends before they look.
    if !path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    {
        return wrong("holds a character that a path of this site does not have");
    }
    match path.as_bytes() {
        [b'/', b'/', ..] => wrong("leads to another site"),
        [b'/', ..] => Ok(()),
        _ => wrong("is not a path of this site"),
    }
}

/// Adds to a checked path which outcome its page should show, in the place of an older one.
pub(super) fn location(path: &str, id: &str) -> String {
    let (path, fragment) = match path.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (path, None),
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let others = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !is_said(pair));
    let mut location = path.to_owned();
    let mut separator = '?';
    for pair in others {
        location.push(separator);
        location.push_str(pair);
        separator = '&';
    }
    location.push_str(&format!("{separator}{SAID}={id}"));
    if let Some(fragment) = fragment {
        location.push('#');
        location.push_str(fragment);
    }
    location
}

/// Reads from a page's query which outcome to show.
pub(super) fn said(query: &str) -> Option<Cow<'_, str>> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == SAID)
        .map(|(_, id)| id)
}

fn is_said(pair: &str) -> bool {
    pair.split('=').next() == Some(SAID)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    #[test]
    fn a_form_never_leads_away() {
        for good in [
            "/",
            "/clients/http/a%20b?sort=client#rotate",
            "/targets",
            "/?next=http://evil",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        let long = format!("/{}", "a".repeat(LIMIT));
        for bad in [
            "",
            "targets",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/a\r\nset-cookie: a=b",
            "/\t/evil.example",
            " /",
            "/a b",
            "/ä",
            &long,
        ] {
            assert_eq!(check(bad).unwrap_err().field.unwrap(), "back", "{bad:?}");
        }
    }

    #[test]
    fn the_rest_of_the_query_stays() {
        assert_eq!(location("/", "1"), "/?said=1");
        assert_eq!(
            location("/clients/http/a?before=3&said=0&x#rotate", "1"),
            "/clients/http/a?before=3&x&said=1#rotate"
        );
        assert_eq!(location("/?said=0#a?b", "1"), "/?said=1#a?b");
        assert_eq!(said("sort=client&said=12").unwrap(), "12");
        assert!(said("sort=client").is_none());
    }

    proptest! {
        #[test]
        fn what_passes_stays_on_this_site(path in "[/\\\\a:.?#@%\\t ]{0,12}|\\PC{0,12}") {
            if check(&path).is_ok() {
                let base = Url::parse("http://127.0.0.1:3003/").unwrap();
                let there = base.join(&location(&path, "1")).unwrap();
                prop_assert_eq!(there.origin(), base.origin());
                prop_assert!(said(there.query().unwrap()).is_some());
            }
        }
    }
}
