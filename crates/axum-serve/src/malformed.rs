//! Heads that hyper lets pass and RFC 9112 does not, or that servers read in different ways: they are answered as those that
//! hyper does not let pass, before any route, with 400, and their connection ends.

use axum::body::Body;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, Request, StatusCode, Version, header};
use axum::response::Response;

pub(crate) fn is_malformed<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let is_current = request.version() >= Version::HTTP_11;
    let hosts = headers.get_all(header::HOST).iter().count();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    let target = request.uri().path_and_query().map(PathAndQuery::as_str);
    hosts > 1
        || (hosts == 0 && is_current)
        || !target.is_none_or(str::is_ascii)
        // Whoever knows another coding reads another body.
        || !codings.all(is_chunked)
        || (request.method() == Method::POST
            && !is_current
            && !headers.contains_key(header::CONTENT_LENGTH))
}

pub(crate) fn refusal() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(method: &str, target: &str, version: Version, headers: &[(&str, &str)]) -> bool {
        let request = Request::builder().method(method).uri(target);
        let request = headers
            .iter()
            .fold(request.version(version), |request, (name, value)| {
                request.header(*name, *value)
            });
        is_malformed(&request.body(()).unwrap())
    }

    #[test]
    fn a_head_that_can_be_read_in_two_ways_is_refused() {
        let host = ("host", "a");
        let refused = |headers: &[_]| is_refused("GET", "/", Version::HTTP_11, headers);
        assert!(!refused(&[host]));
        assert!(refused(&[]));
        assert!(refused(&[host, host]));
        assert!(!refused(&[host, ("transfer-encoding", "Chunked")]));
        assert!(refused(&[host, ("transfer-encoding", "gzip, chunked")]));
        assert!(is_refused("GET", "/?\u{e4}", Version::HTTP_11, &[host]));
    }

    #[test]
    fn an_old_client_names_no_host_but_the_length_of_its_body() {
        let refused = |method, headers: &[_]| is_refused(method, "/", Version::HTTP_10, headers);
        assert!(!refused("GET", &[]));
        assert!(refused("POST", &[]));
        assert!(!refused("POST", &[("content-length", "0")]));
    }
}
