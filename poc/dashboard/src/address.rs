//! Addresses of the pages.

use mesh_api::track::Track;

use crate::page::{Page, Query};

/// The address of the matrix.
pub(crate) fn matrix(query: &Query) -> String {
    format!("/{}", search(query))
}

/// The address of a client's page.
pub(crate) fn client(track: Track, client_id: &str) -> String {
    format!("/clients/{}/{}", track.as_str(), encode(client_id))
}

/// The address of a page with its query: where a form goes back to.
pub(crate) fn page(page: Page, client_key: Option<(Track, &str)>, query: &Query) -> String {
    match (page, client_key) {
        (Page::Client, Some((track, client_id))) => {
            format!("{}{}", client(track, client_id), search(query))
        }
        (Page::Targets, _) => "/targets".to_owned(),
        (Page::Health, _) => "/health".to_owned(),
        _ => matrix(query),
    }
}

/// Where the gateway tells whether the session goes on.
#[cfg(feature = "hydrate")]
pub(crate) const SESSION: &str = "/api/v1/session";

/// Where one signs in at the gateway; it leads to `next` afterwards.
#[cfg(any(test, feature = "hydrate"))]
pub(crate) fn login(next: &str) -> String {
    format!("/login?next={}", encode(next))
}

/// Writes a query, with its question mark where there is any.
pub(crate) fn search(query: &Query) -> String {
    let mut text = String::new();
    let parameters = [
        ("filter", &query.filter),
        ("show", &query.show),
        ("sort", &query.sort),
        ("cursor", &query.cursor),
    ];
    for (name, value) in parameters {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            text.push(if text.is_empty() { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            text.push_str(&encode(value));
        }
    }
    text
}

/// Percent-encodes all but the characters that every part of an address takes.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_ids_stay_one_segment() {
        assert_eq!(
            client(Track::Http, "a/../b?c#d é"),
            "/clients/http/a%2F..%2Fb%3Fc%23d%20%C3%A9"
        );
    }

    #[test]
    fn queries_leave_out_what_is_absent() {
        assert_eq!(matrix(&Query::default()), "/");
        let query = Query {
            filter: Some("a&b".to_owned()),
            show: Some(String::new()),
            cursor: Some("x=".to_owned()),
            ..Query::default()
        };
        assert_eq!(matrix(&query), "/?filter=a%26b&cursor=x%3D");
        assert_eq!(
            page(Page::Client, Some((Track::Http, "a")), &Query::default()),
            "/clients/http/a"
        );
        assert_eq!(page(Page::Targets, None, &query), "/targets");
    }

    #[test]
    fn who_signs_in_again_comes_back_to_the_page() {
        assert_eq!(
            login("/?filter=a%26b"),
            "/login?next=%2F%3Ffilter%3Da%2526b"
        );
    }
}
