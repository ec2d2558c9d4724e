//! One request, one refusal (wire contract 1.3).

use crate::http_layer::raw::{Framing, RawRequest};
use crate::http_layer::world::{BODY_LIMIT, NOW_MS, SKEW_MS, World, secret};

/// Name, request, code, status.
pub(super) type Row = (&'static str, RawRequest, &'static str, u16);

/// A group of rows.
pub(super) type Table = fn(&World) -> Vec<Row>;

pub(super) const TABLE: &[(&str, Table)] = &[
    ("heads_are_refused_in_order", heads),
    ("credentials_are_refused_in_order", credentials),
    ("bad_signatures_are_refused", signatures),
    ("ambiguous_requests_are_refused", ambiguities),
    ("bodies_that_are_too_large_are_refused", sizes),
];

/// Checks 1 to 6, and that the first failure wins.
fn heads(world: &World) -> Vec<Row> {
    let good = || world.signed("billing", "GET", "/echo", b"");
    let at = |now_ms| world.signed_with("billing", &secret("billing"), "GET", "/echo", b"", now_ms);
    let bare = good()
        .without("x-client-id")
        .without("x-signature")
        .without("x-timestamp")
        .without("x-nonce");
    vec![
        ("no header at all", bare.clone(), "MISSING_CLIENT_ID", 401),
        (
            "blank client id",
            good().replace("x-client-id", "  "),
            "MISSING_CLIENT_ID",
            401,
        ),
        (
            "client id only",
            bare.clone().with("x-client-id", "billing"),
            "MISSING_SIGNATURE",
            401,
        ),
        (
            "no signature",
            good().without("x-signature"),
            "MISSING_SIGNATURE",
            401,
        ),
        (
            "no timestamp and no nonce",
            good().without("x-timestamp").without("x-nonce"),
            "MISSING_TIMESTAMP",
            401,
        ),
        ("no nonce", good().without("x-nonce"), "MISSING_NONCE", 401),
        (
            "timestamp in words",
            good().replace("x-timestamp", "soon"),
            "INVALID_TIMESTAMP",
            401,
        ),
        (
            "timestamp beyond i64",
            good().replace("x-timestamp", "9223372036854775808"),
            "INVALID_TIMESTAMP",
            401,
        ),
        ("too old", at(NOW_MS - SKEW_MS - 1), "TIMESTAMP_SKEW", 401),
        ("too early", at(NOW_MS + SKEW_MS + 1), "TIMESTAMP_SKEW", 401),
        (
            "unsigned HEAD",
            RawRequest {
                method: "HEAD".to_owned(),
                ..bare
            },
            "MISSING_CLIENT_ID",
            401,
        ),
    ]
}

/// Checks 7 to 10.
fn credentials(world: &World) -> Vec<Row> {
    let get = |client| world.signed(client, "GET", "/echo", b"");
    vec![
        ("unknown client", get("nobody"), "UNKNOWN_CLIENT", 401),
        ("expired client", get("expired"), "CLIENT_EXPIRED", 401),
        (
            "address not allowed",
            get("confined"),
            "CLIENT_IP_NOT_ALLOWED",
            403,
        ),
        (
            "a forwarded address from nobody's proxy",
            get("confined").with("x-forwarded-for", "10.1.2.3"),
            "CLIENT_IP_NOT_ALLOWED",
            403,
        ),
    ]
}

/// Check 11: everything that is signed counts.
fn signatures(world: &World) -> Vec<Row> {
    let get = || world.signed("billing", "GET", "/echo?a=1", b"");
    let post = || world.signed("billing", "POST", "/echo", b"{\"a\":1}");
    let wrong = world.signed_with("billing", &secret("reporting"), "GET", "/echo", b"", NOW_MS);
    let moved = |target: &str| RawRequest {
        target: target.to_owned(),
        ..get()
    };
    let changed = |body: &[u8]| RawRequest {
        body: body.to_owned(),
        ..post()
    };
    let deleted = RawRequest {
        method: "DELETE".to_owned(),
        ..get()
    };
    let rows = [
        ("wrong secret", wrong),
        ("no hex", get().replace("x-signature", "zz")),
        ("another method", deleted),
        ("another query", moved("/echo?a=2")),
        ("no query", moved("/echo")),
        ("another path", moved("/echo/b?a=1")),
        ("another nested path", moved("/nested/echo?a=1")),
        ("another body", changed(b"{\"a\":2}")),
        ("no body", changed(b"")),
        (
            "another body in chunks",
            changed(b"{\"a\":2}").framing(Framing::Chunked),
        ),
        (
            "another timestamp",
            get().replace("x-timestamp", &(NOW_MS + 1).to_string()),
        ),
        (
            "another nonce",
            get().replace("x-nonce", "00112233445566778899aabbccddeeff"),
        ),
        (
            "another client's signature",
            get().replace("x-client-id", "reporting"),
        ),
        (
            "a bad signature on a restricted route",
            RawRequest {
                target: "/only".to_owned(),
                ..get()
            },
        ),
    ];
    rows.into_iter()
        .map(|(name, request)| (name, request, "BAD_SIGNATURE", 401))
        .collect()
}

/// Targets that router and signature could read differently.
fn ambiguities(world: &World) -> Vec<Row> {
    let row = |name, target: &str| {
        let request = world.signed("billing", "GET", target, b"");
        (name, request, "BAD_SIGNATURE", 401)
    };
    vec![
        row("dot segments", "/echo/a/../b"),
        row("a single dot", "/echo/./b"),
        row("dot segments at the end", "/echo/a/.."),
        row("encoded dot segments", "/echo/a/%2e%2E/b"),
        row("an authority in the target", "http://localhost/echo"),
    ]
}

/// Bodies beyond the limit, announced and not.
fn sizes(world: &World) -> Vec<Row> {
    let post = |length: usize| world.signed("billing", "POST", "/echo", &vec![b'x'; length]);
    let announced = RawRequest {
        body: Vec::new(),
        framing: Framing::Announced(BODY_LIMIT + 1),
        ..post(0)
    };
    let huge = announced
        .clone()
        .framing(Framing::Announced(usize::MAX / 2));
    let unsigned = announced.clone().without("x-client-id");
    vec![
        (
            "one byte too many",
            post(BODY_LIMIT + 1),
            "PAYLOAD_TOO_LARGE",
            413,
        ),
        (
            "one byte too many in chunks",
            post(BODY_LIMIT + 1).framing(Framing::Chunked),
            "PAYLOAD_TOO_LARGE",
            413,
        ),
        (
            "too much announced, nothing sent",
            announced,
            "PAYLOAD_TOO_LARGE",
            413,
        ),
        (
            "absurdly much announced, nothing sent",
            huge,
            "PAYLOAD_TOO_LARGE",
            413,
        ),
        (
            "too much announced by nobody",
            unsigned,
            "MISSING_CLIENT_ID",
            401,
        ),
    ]
}
