//! Reads a request's head the way the client sent it.

use std::borrow::Cow;

use actix_web::dev;
use actix_web::http::Version;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use hmac_auth::header::Headers;
use hmac_auth::layer::sent_target;

/// A view over actix's header map.
pub(crate) struct HeaderView<'a>(pub(crate) &'a HeaderMap);

impl Headers for HeaderView<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).map(HeaderValue::as_bytes)
    }
}

/// The request target as the client sent it (a scope leaves the URI whole).
pub(crate) fn target(head: &dev::RequestHead) -> Cow<'_, str> {
    sent_target(
        head.uri.path_and_query().map(PathAndQuery::as_str),
        head.uri.authority().is_some() && head.version < Version::HTTP_2,
        || head.uri.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn target_of(uri: &str, version: Version) -> String {
        let request = TestRequest::default()
            .uri(uri)
            .version(version)
            .to_srv_request();
        target(request.head()).into_owned()
    }

    #[test]
    fn an_origin_form_is_taken_as_it_is() {
        assert_eq!(
            target_of("/a/../b?x=%2F&y", Version::HTTP_11),
            "/a/../b?x=%2F&y"
        );
    }

    #[test]
    fn an_authority_stays_visible_in_http_1_only() {
        assert_eq!(
            target_of("http://evil/a?b", Version::HTTP_11),
            "http://evil/a?b"
        );
        assert_eq!(target_of("http://host/a?b", Version::HTTP_2), "/a?b");
    }
}
