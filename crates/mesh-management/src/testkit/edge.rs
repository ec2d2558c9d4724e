//! What is refused before a request is read, and what is no request of the surface.

use crate::testkit::parts::{surface, with_forms};
use crate::testkit::{Mounted, post, request};

/// 405, with the problem and the methods that there are.
pub async fn other_methods_are_refused<M: Mounted>() {
    let mounted = M::mount(surface());
    for (method, path, allowed) in [
        ("GET", "/ensure", "POST"),
        ("PUT", "/ensure", "POST"),
        ("OPTIONS", "/ensure", "POST"),
        ("POST", "/state", "GET,HEAD"),
        ("DELETE", "/targets", "POST"),
        ("POST", "/targets/a", "DELETE"),
        ("PATCH", "/targets/a", "DELETE"),
    ] {
        let answer = mounted.ask(request(method, path)).await;
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
        let message = "this route does not take this method";
        answer.refuses(405, "METHOD_NOT_ALLOWED", "", message);
    }
}

/// A browser says where a request comes from; a program says nothing.
pub async fn other_sites_are_refused<M: Mounted>() {
    let mounted = M::mount(surface());
    let host = |asked: crate::testkit::Asked| asked.with("host", "127.0.0.1:3001");
    for asked in [
        post("/sync", "").with("sec-fetch-site", "cross-site"),
        post("/sync", "").with("sec-fetch-site", "same-site"),
        host(post("/sync", "")).with("origin", "http://127.0.0.1:3002"),
        host(post("/sync", "")).with("origin", "null"),
        request("DELETE", "/targets/a").with("sec-fetch-site", "cross-site"),
    ] {
        let answer = mounted.ask(asked).await;
        let message = "requests of another site's pages are refused";
        answer.refuses(403, "CROSS_SITE_REQUEST", "", message);
    }
    for asked in [
        post("/sync", "").with("sec-fetch-site", "same-origin"),
        host(post("/sync", "")).with("origin", "http://127.0.0.1:3001"),
        request("GET", "/state").with("sec-fetch-site", "cross-site"),
    ] {
        let answer = mounted.ask(asked).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// 415 for anything else.
pub async fn a_body_is_declared_as_json_or_not_at_all<M: Mounted>() {
    let mounted = M::mount(surface());
    let declared = |kind: &str| request("POST", "/sync").with("content-type", kind);
    for kind in [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ] {
        let answer = mounted.ask(declared(kind)).await;
        let message = "the content type must be application/json";
        answer.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "", message);
    }
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        let answer = mounted.ask(declared(kind)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// A parameter that would be passed over is refused.
pub async fn a_post_has_no_query<M: Mounted>() {
    let mounted = M::mount(with_forms().0);
    let message = "is not a parameter of this route";
    for asked in [
        post("/sync?dry=1", ""),
        request("DELETE", "/targets/a?dry=1"),
        request("GET", "/local-clients?dry=1"),
    ] {
        let answer = mounted.ask(asked).await;
        answer.refuses(400, "INVALID_OPTIONS", "dry", message);
    }
}

/// As a GET would be.
pub async fn a_head_is_answered_without_a_body<M: Mounted>() {
    let mounted = M::mount(surface());
    let answer = mounted.ask(request("HEAD", "/state")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    let answer = mounted.ask(request("HEAD", "/state?limit=0")).await;
    assert_eq!(answer.status, 400);
}

/// 404, whatever that looks like there.
pub async fn a_path_of_nothing_is_left_to_the_application<M: Mounted>() {
    let mounted = M::mount(surface());
    for path in [
        "/nowhere",
        "/ensure/",
        "/targets/a/b",
        "/mesh/events",
        "/st%61te",
        "//state",
        "/a/../state",
    ] {
        let answer = mounted.ask(request("GET", path)).await;
        assert_eq!(answer.status, 404, "{path} {answer:?}");
    }
    let mut escaped = request("GET", "");
    escaped.path = "/%73urface/state".to_owned();
    assert_eq!(mounted.ask(escaped).await.status, 404);
}
