//! Reads a request's head the way it was sent.

use std::borrow::Cow;

use actix_web::dev::RequestHead;
use actix_web::http::Version;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use jwt_auth::guard::{Headers, sent_target};

/// A view over actix's header map.
pub(crate) struct HeaderView<'a>(pub(crate) &'a HeaderMap);

impl Headers for HeaderView<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).map(HeaderValue::as_bytes)
    }
}

/// The request target as it was sent (a scope leaves the URI whole).
pub fn target(head: &RequestHead) -> Cow<'_, str> {
    sent_target(
        head.uri.path_and_query().map(PathAndQuery::as_str),
        head.uri.authority().is_some() && head.version < Version::HTTP_2,
        || head.uri.to_string(),
    )
}
