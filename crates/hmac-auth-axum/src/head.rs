//! Reads a request's head the way the client sent it.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use axum::extract::connect_info::MockConnectInfo;
use axum::extract::{ConnectInfo, OriginalUri};
use hmac_auth::header::Headers;
use hmac_auth::layer::sent_target;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Version};

/// A view over `http`'s header map.
pub(crate) struct HeaderView<'a>(pub(crate) &'a HeaderMap);

impl Headers for HeaderView<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

/// The request target as the client sent it: a router that nests another strips its prefix from the URI, so the
/// original one counts.
pub(crate) fn target(parts: &Parts) -> Cow<'_, str> {
    let uri = parts
        .extensions
        .get::<OriginalUri>()
        .map_or(&parts.uri, |original| &original.0);
    sent_target(
        uri.path_and_query().map(PathAndQuery::as_str),
        uri.authority().is_some() && parts.version < Version::HTTP_2,
        || uri.to_string(),
    )
}

/// The address of the connection's other end, when the server was started with connection information.
pub(crate) fn peer_address(parts: &Parts) -> Option<IpAddr> {
    let served = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0);
    let mocked = || {
        parts
            .extensions
            .get::<MockConnectInfo<SocketAddr>>()
            .map(|info| info.0)
    };
    served.or_else(mocked).map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(uri: &str, version: Version) -> Parts {
        let request = Request::builder()
            .uri(uri)
            .version(version)
            .body(())
            .unwrap();
        request.into_parts().0
    }

    #[test]
    fn an_origin_form_is_taken_as_it_is() {
        assert_eq!(
            target(&parts("/a/../b?x=%2F&y", Version::HTTP_11)),
            "/a/../b?x=%2F&y"
        );
    }

    #[test]
    fn an_authority_stays_visible_in_http_1_only() {
        assert_eq!(
            target(&parts("http://evil/a?b", Version::HTTP_11)),
            "http://evil/a?b"
        );
        assert_eq!(target(&parts("http://host/a?b", Version::HTTP_2)), "/a?b");
    }

    #[test]
    fn the_original_uri_wins_over_a_stripped_one() {
        let mut parts = parts("/users", Version::HTTP_11);
        parts
            .extensions
            .insert(OriginalUri("/api/users?x".parse().unwrap()));
        assert_eq!(target(&parts), "/api/users?x");
    }

    #[test]
    fn the_connection_wins_over_a_mock() {
        let mut parts = parts("/", Version::HTTP_11);
        assert_eq!(peer_address(&parts), None);
        let mocked: SocketAddr = "10.0.0.1:1".parse().unwrap();
        parts.extensions.insert(MockConnectInfo(mocked));
        assert_eq!(peer_address(&parts), Some(mocked.ip()));
        let served: SocketAddr = "10.0.0.2:1".parse().unwrap();
        parts.extensions.insert(ConnectInfo(served));
        assert_eq!(peer_address(&parts), Some(served.ip()));
    }
}
