//! The gateway's own cookies: no peer sees them, and no peer sets them.

use axum::http::{HeaderMap, HeaderValue, header};

/// The access token, on pages of this machine without TLS.
pub(crate) const ACCESS: &str = "access";
/// The refresh token there, and where clients of the original are to find it.
pub(crate) const REFRESH: &str = "refreshToken";
/// The access token over TLS.
pub(crate) const HOST_ACCESS: &str = "__Host-access";
/// The refresh token over TLS.
pub(crate) const HOST_REFRESH: &str = "__Host-refresh";

/// What they are called.
const OURS: [&str; 4] = [ACCESS, REFRESH, HOST_ACCESS, HOST_REFRESH];

/// Takes ours out of a request.
pub(super) fn hide(headers: &mut HeaderMap) {
    let sent: Vec<HeaderValue> = headers.get_all(header::COOKIE).iter().cloned().collect();
    headers.remove(header::COOKIE);
    for value in sent {
        let pairs = value.as_bytes().split(|byte| *byte == b';');
        let others = pairs.map(<[u8]>::trim_ascii).filter(|pair| !is_ours(pair));
        let others = others.collect::<Vec<_>>().join(&b"; "[..]);
        if let Ok(value) = HeaderValue::from_bytes(&others)
            && !others.is_empty()
        {
            headers.append(header::COOKIE, value);
        }
    }
}

/// Takes ours out of an answer, and those without a name: a browser sends their value as a name.
pub(super) fn keep_others(headers: &mut HeaderMap) {
    let set: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .cloned()
        .collect();
    headers.remove(header::SET_COOKIE);
    for value in set {
        let pair = value.as_bytes().split(|byte| *byte == b';').next();
        let pair = pair.unwrap_or_default();
        let has_name = !name(pair).is_empty() && pair.contains(&b'=');
        if has_name && !is_ours(pair) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

fn is_ours(pair: &[u8]) -> bool {
    let name = name(pair);
    OURS.iter()
        .any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
}

fn name(pair: &[u8]) -> &[u8] {
    let name = pair.split(|byte| *byte == b'=').next();
    name.unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(
        name: &header::HeaderName,
        values: &[&str],
        change: impl FnOnce(&mut HeaderMap),
    ) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        change(&mut headers);
        let values = headers.get_all(name).iter();
        values.map(|it| it.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn no_peer_sees_our_cookies() {
        let sent = |values: &[&str]| left(&header::COOKIE, values, hide);
        assert_eq!(
            sent(&["a=1; access=x; b=\"2\";__Host-refresh=y", "refreshToken=z"]),
            ["a=1; b=\"2\""]
        );
        assert_eq!(
            sent(&["__host-ACCESS=x", "access", "accessory=1"]),
            ["accessory=1"]
        );
    }

    #[test]
    fn no_peer_sets_our_cookies() {
        let set = |values: &[&str]| left(&header::SET_COOKIE, values, keep_others);
        assert_eq!(
            set(&[
                "a=1; Path=/",
                "access=x",
                " refreshToken =y; HttpOnly",
                "__Host-access=; Max-Age=0",
                "=access=x",
                "access",
                "; access=x",
            ]),
            ["a=1; Path=/"]
        );
    }
}
