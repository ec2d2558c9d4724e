//! Reads a request's head the way it was sent.

use std::borrow::Cow;

use axum::extract::OriginalUri;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Version};
use jwt_auth::guard::{Headers, sent_target};

/// A view over `http`'s header map.
pub(crate) struct HeaderView<'a>(pub(crate) &'a HeaderMap);

impl Headers for HeaderView<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

/// The request target as it was sent: a router that nests another strips its prefix from the URI, so the original counts.
pub fn target(parts: &Parts) -> Cow<'_, str> {
    let original = parts.extensions.get::<OriginalUri>();
    let uri = original.map_or(&parts.uri, |original| &original.0);
    sent_target(
        uri.path_and_query().map(PathAndQuery::as_str),
        uri.authority().is_some() && parts.version < Version::HTTP_2,
        || uri.to_string(),
    )
}
