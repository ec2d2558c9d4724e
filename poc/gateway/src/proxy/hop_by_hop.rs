//! Headers that are for one connection, and end with it (RFC 9110, section 7.6.1).

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// They go, named by `Connection` or not.
const OF_ONE_CONNECTION: [HeaderName; 11] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("http2-settings"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    // We have answered it, or the peer has.
    header::EXPECT,
];

const UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Takes them away, after whatever `Connection` names, and tells whether they asked for a WebSocket, or agreed to one.
pub(super) fn strip(headers: &mut HeaderMap) -> bool {
    let tokens = |name: &HeaderName| {
        let values = headers.get_all(name).iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        let tokens = texts.flat_map(|text| text.split(','));
        tokens.map(|token| token.trim().to_ascii_lowercase())
    };
    let named: Vec<String> = tokens(&header::CONNECTION).collect();
    let is_websocket = named.iter().any(|name| name == "upgrade")
        && tokens(&header::UPGRADE).eq([String::from("websocket")]);
    for name in named {
        headers.remove(name);
    }
    for name in &OF_ONE_CONNECTION {
        headers.remove(name);
    }
    is_websocket
}

/// Asks for a WebSocket, or agrees to one.
pub(super) fn websocket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, UPGRADE);
    headers.insert(header::UPGRADE, WEBSOCKET);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(pairs: &[(&str, &str)]) -> (bool, Vec<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        let is_websocket = strip(&mut headers);
        let names = headers.keys().map(|name| name.to_string());
        (is_websocket, names.collect())
    }

    #[test]
    fn what_is_for_one_connection_goes() {
        let (is_websocket, left) = stripped(&[
            ("connection", "close, X-Own"),
            ("connection", "x-other ,"),
            ("x-own", "1"),
            ("x-other", "1"),
            ("x-kept", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABk"),
            ("expect", "100-continue"),
            ("proxy-authorization", "Basic eDp5"),
        ]);
        assert_eq!((is_websocket, left), (false, vec!["x-kept".to_owned()]));
    }

    #[test]
    fn only_a_websocket_is_kept() {
        let asks =
            |connection, upgrade| stripped(&[("connection", connection), ("upgrade", upgrade)]).0;
        assert!(asks("keep-alive, Upgrade", "WebSocket"));
        assert!(!asks("keep-alive", "websocket"));
        assert!(!asks("upgrade", "h2c"));
        assert!(!asks("upgrade", "h2c, websocket"));
        assert!(!stripped(&[("connection", "upgrade")]).0);
    }
}
