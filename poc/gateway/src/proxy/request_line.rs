//! What a request line must be: a path that every server behind us reads alike.

use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method, Uri, header};
use mesh_api::problem::Problem;

use crate::proxy::refusal::Refusal;

/// Path and query have no more bytes: a token names them, and a peer reads tokens of 8 KiB.
const MAX_TARGET_BYTES: usize = 4 * 1024;

/// What a path would hide in an encoding: `/`, `\`, `.` and NUL.
const HIDDEN: [&str; 4] = ["2f", "5c", "2e", "00"];

/// Reads path and query, as they will be sent.
///
/// # Errors
/// 400 for another form, for dot segments, `//`, `\`, and an encoded `/`, `\`, `.` or NUL in the path; 405 for TRACE, which
/// would show our token; 414 for what is too long.
pub(super) fn target(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<PathAndQuery, Refusal> {
    if matches!(*method, Method::TRACE | Method::CONNECT) {
        return Err(Problem::method_not_allowed().into());
    }
    if let Some(authority) = uri.authority() {
        // The target wins over the header (RFC 9112, section 3.2.2), and we hand on the header.
        let host = headers.get(header::HOST).map(|host| host.as_bytes());
        if host.is_some_and(|host| !host.eq_ignore_ascii_case(authority.as_str().as_bytes())) {
            return Err(Refusal::malformed("the target names another host"));
        }
    }
    let target = uri.path_and_query().map(PathAndQuery::as_str);
    let target = target.filter(|target| target.starts_with('/'));
    let target = target.ok_or_else(|| Refusal::malformed("the target is no path"))?;
    // They are two bytes in a token.
    let escaped = target.bytes().filter(|it| matches!(it, b'"' | b'\\'));
    if target.len() + escaped.count() > MAX_TARGET_BYTES {
        return Err(Refusal::too_long(MAX_TARGET_BYTES));
    }
    check(uri.path())?;
    let again = target.parse();
    again.map_err(|_| Refusal::malformed("the target is no path"))
}

fn check(path: &str) -> Result<(), Refusal> {
    let is_dots = |segment: &str| matches!(segment, "." | "..");
    if path.contains("//") || path.contains('\\') || path.split('/').any(is_dots) {
        let message = "the path has an empty segment, dots for a segment, or a backslash";
        return Err(Refusal::malformed(message));
    }
    let encoded = |two: &str| HIDDEN.iter().any(|hidden| two.eq_ignore_ascii_case(hidden));
    let mut parts = path.split('%').skip(1);
    if parts.any(|part| part.get(..2).is_some_and(encoded)) {
        let message = "the path has an encoded slash, backslash, dot or NUL";
        return Err(Refusal::malformed(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &str, target: &str) -> u16 {
        let (method, uri) = (method.parse().unwrap(), target.parse().unwrap());
        let host = [(header::HOST, "a:3100".parse().unwrap())];
        match super::target(&method, &uri, &HeaderMap::from_iter(host)) {
            Ok(sent) => {
                assert!(target.ends_with(sent.as_str()) || target == "http://a:3100");
                200
            }
            Err(refusal) => refusal.problem.status,
        }
    }

    #[test]
    fn a_path_is_read_in_one_way() {
        for target in [
            "/",
            "/?a=//../%2e%2e%00",
            "/clients/http/a..b",
            "/clients/http/.a",
            "/a%20b%c3%a4/%25/%",
            "/a%252e",
            "/api/state?limit=1",
            "http://a:3100/api/state",
            "http://a:3100",
        ] {
            assert_eq!(status("GET", target), 200, "{target}");
        }
        for target in [
            "//",
            "/a//b",
            "/a/../b",
            "/..",
            "/.",
            "/a/./b",
            "/a\\b",
            "/%2e%2e/b",
            "/%2E/b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a%00",
            "*",
            "a:3100",
            "http://evil.example/",
            "http://a/",
        ] {
            assert_eq!(status("GET", target), 400, "{target}");
        }
        assert_eq!(status("TRACE", "/"), 405);
        assert_eq!(status("CONNECT", "a:3100"), 405);
        assert_eq!(status("GET", &format!("/?{}", "a".repeat(5_000))), 414);
        assert_eq!(status("GET", &format!("/?{}", "\\".repeat(2_500))), 414);
    }
}
