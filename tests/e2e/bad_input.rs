//! Every malformed request gets its status, its code and the field it is about; nothing is written, nothing hangs.

use reqwest::Method;
use serde_json::{Value, json};

use crate::mesh::{Mesh, Peer};

const SECRET: &str = "a secret of sufficient length";

/// Route, body, status, code, field.
type Case = (&'static str, Value, u16, &'static str, Option<&'static str>);

fn ensure(name: &str, value: Value) -> Value {
    let mut body = json!({ "clientId": "bad", "secret": SECRET, "targets": ["consumer"] });
    body[name] = value;
    body
}

fn without(name: &str) -> Value {
    let mut body = ensure("clientId", json!("bad"));
    body.as_object_mut().unwrap().remove(name);
    body
}

fn ensures() -> Vec<Case> {
    let long = "x".repeat(129);
    let cases = [
        (
            "clientId",
            vec![
                json!(""),
                json!("   "),
                json!(7),
                json!(null),
                json!([]),
                json!(long),
                json!("a\u{0}b"),
                json!("café"),
                json!(" lead"),
                json!("a\u{202e}b"),
            ],
        ),
        (
            "secret",
            vec![
                json!(""),
                json!("too short"),
                json!(" ".repeat(20)),
                json!(format!("{SECRET}\n")),
                json!(12345),
                json!(null),
                json!(long),
                json!({}),
            ],
        ),
        (
            "targets",
            vec![
                json!("consumer"),
                json!(null),
                json!([1]),
                json!(["consumer", "consumer"]),
                json!(["a_b"]),
                json!([""]),
                json!(["not-in-the-inventory"]),
                json!({}),
            ],
        ),
        (
            "track",
            vec![json!("HTTP"), json!("tcp"), json!(1), json!("")],
        ),
        (
            "allowedIps",
            vec![
                json!("127.0.0.1"),
                json!(["300.1.1.1"]),
                json!(["10.0.0.0/33"]),
                json!(["localhost"]),
                json!([7]),
                json!([""]),
            ],
        ),
        (
            "expiresAt",
            vec![
                json!("tomorrow"),
                json!(1.5),
                json!(-1),
                json!(1_900_000_000),
                json!(1_u64 << 53),
                json!(1e300),
                json!(true),
                json!([]),
            ],
        ),
        ("unknown", vec![json!(1), json!(null)]),
        ("clientID", vec![json!("bad")]),
    ];
    let cases = cases.into_iter().flat_map(|(field, values)| {
        values.into_iter().map(move |value| {
            (
                "/ensure",
                ensure(field, value),
                400,
                "INVALID_OPTIONS",
                Some(field),
            )
        })
    });
    let missing = ["clientId", "secret", "targets"];
    let missing = missing.map(|field| {
        (
            "/ensure",
            without(field),
            400,
            "INVALID_OPTIONS",
            Some(field),
        )
    });
    cases.chain(missing).collect()
}

fn others() -> Vec<Case> {
    let invalid = |route, body, field| (route, body, 400, "INVALID_OPTIONS", Some(field));
    vec![
        invalid("/rotate", json!({ "clientId": "bad" }), "secret"),
        invalid(
            "/rotate",
            json!({ "clientId": "", "secret": SECRET }),
            "clientId",
        ),
        invalid(
            "/rotate",
            json!({ "clientId": "bad", "secret": "short" }),
            "secret",
        ),
        invalid(
            "/rotate",
            json!({ "clientId": "bad", "secret": SECRET, "targets": [] }),
            "targets",
        ),
        (
            "/rotate",
            json!({ "clientId": "nobody", "secret": SECRET }),
            404,
            "UNKNOWN_CLIENT",
            Some("clientId"),
        ),
        invalid("/revoke", json!({ "clientId": "bad" }), "targets"),
        invalid("/revoke", json!({ "targets": [] }), "clientId"),
        invalid(
            "/revoke",
            json!({ "clientId": "bad", "targets": ["a b"] }),
            "targets",
        ),
        invalid(
            "/revoke",
            json!({ "clientId": "bad", "targets": [], "secret": SECRET }),
            "secret",
        ),
        invalid("/sync", json!({ "now": true }), "now"),
        invalid("/resync", json!({}), "target"),
        invalid(
            "/resync",
            json!({ "target": "consumer", "clientId": "bad" }),
            "clientId",
        ),
        invalid(
            "/targets",
            json!({ "targetAmqpQueue": "a_b", "propagationSecret": "x" }),
            "targetAmqpQueue",
        ),
        invalid(
            "/targets",
            json!({ "targetAmqpQueue": "", "propagationSecret": "x" }),
            "targetAmqpQueue",
        ),
        invalid(
            "/targets",
            json!({ "targetAmqpQueue": "fine" }),
            "propagationSecret",
        ),
        invalid(
            "/targets",
            json!({ "targetAmqpQueue": "fine", "propagationSecret": "" }),
            "propagationSecret",
        ),
        invalid(
            "/targets",
            json!({ "targetAmqpQueue": "fine", "propagationSecret": "x", "note": 1 }),
            "note",
        ),
        invalid("/hash", json!({}), "secret"),
        invalid("/hash", json!({ "secret": "" }), "secret"),
        invalid("/call-target", json!({ "target": "consumer" }), "clientId"),
        invalid(
            "/call-target",
            json!({ "target": "nobody", "clientId": "bad" }),
            "target",
        ),
        invalid(
            "/call-target",
            json!({ "target": "http://127.0.0.1:22/", "clientId": "bad" }),
            "target",
        ),
        invalid(
            "/call-target",
            json!({ "target": "file:///etc/passwd", "clientId": "bad" }),
            "target",
        ),
    ]
}

#[tokio::test]
async fn every_malformed_body_gets_its_code_and_field() {
    let mesh = Mesh::start().await;
    let mut wrong = Vec::new();
    for peer in [Peer::Authority, Peer::LeptosAxum, Peer::LeptosActix] {
        for (route, body, status, code, field) in ensures().into_iter().chain(others()) {
            let answer = mesh.post(peer, route, &body).await.unwrap();
            let seen = (answer.status, answer.code(), answer.body["field"].as_str());
            if seen != (status, code, field) || !answer.body["message"].is_string() {
                wrong.push(format!(
                    "{} {route} {body}: {answer}, not {:?}",
                    peer.name(),
                    (status, code, field)
                ));
            }
        }
        assert_eq!(mesh.rows(peer).await.unwrap(), [], "nothing is booked");
        assert_eq!(
            mesh.records(peer).await.unwrap().len(),
            0,
            "nothing is written"
        );
    }
    assert!(
        wrong.is_empty(),
        "{} wrong answers:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let mesh = Mesh::start().await;
    let bodies: [&[u8]; 9] = [
        b"{",
        b"[]",
        b"7",
        b"null",
        b"{\"a\"}",
        b"\xff\xfe",
        b"{\"clientId\":\"a\"} x",
        b"clientId=a",
        b"\"\"",
    ];
    for body in bodies {
        let request = mesh.request(Method::POST, Peer::Authority, "/admin/ensure");
        let answer = mesh
            .send(
                request
                    .header("content-type", "application/json")
                    .body(body),
            )
            .await
            .unwrap();
        answer.refused(400, "INVALID_JSON").unwrap();
    }
    let twice =
        r#"{"clientId":"a","clientId":"b","secret":"a secret of sufficient length","targets":[]}"#;
    let request = mesh.request(Method::POST, Peer::Authority, "/admin/ensure");
    let answer = mesh
        .send(
            request
                .header("content-type", "application/json")
                .body(twice),
        )
        .await
        .unwrap();
    assert_eq!(
        (answer.status, &answer.body["field"]),
        (400, &json!("clientId")),
        "{answer}"
    );
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let deep = format!(r#"{{"clientId":{deep}}}"#);
    let request = mesh.request(Method::POST, Peer::Authority, "/admin/ensure");
    let answer = mesh
        .send(
            request
                .header("content-type", "application/json")
                .body(deep),
        )
        .await
        .unwrap();
    assert_eq!(answer.status, 400, "{answer}");
    assert_eq!(mesh.rows(Peer::Authority).await.unwrap(), []);
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused() {
    let mesh = Mesh::start().await;
    let limit = 64 * 1024;
    for size in [limit + 1, limit * 4] {
        let body = format!("{{\"clientId\":\"{}\"}}", "x".repeat(size));
        for peer in [Peer::Authority, Peer::LeptosAxum, Peer::LeptosActix] {
            let path = format!("{}/ensure", peer.surface().0);
            let request = mesh
                .request(Method::POST, peer, &path)
                .header("content-type", "application/json");
            mesh.send(request.body(body.clone()))
                .await
                .unwrap()
                .is(413)
                .unwrap();
        }
        for peer in Peer::ALL {
            let request = mesh
                .request(Method::POST, peer, "/api/echo")
                .header("content-type", "application/json");
            let caller =
                crate::mesh::Caller::new("nobody", mesh.secrets.hash(Peer::Authority, SECRET));
            let headers = caller.headers("POST", body.as_bytes());
            let request = headers
                .pairs()
                .into_iter()
                .fold(request, |request, (name, value)| {
                    request.header(name, value)
                });
            let answer = mesh.send(request.body(body.clone())).await.unwrap();
            assert!(
                [401, 413].contains(&answer.status),
                "{}: {answer}",
                peer.name()
            );
        }
    }
    mesh.ensure(Peer::Authority, "after", SECRET, &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 3).await;
}

#[tokio::test]
async fn routes_methods_and_sites_are_checked() {
    let mesh = Mesh::start().await;
    for peer in Peer::ALL {
        mesh.get(peer, "/nowhere")
            .await
            .unwrap()
            .refused(404, "NOT_FOUND")
            .unwrap();
        let delete = mesh.request(Method::DELETE, peer, "/api/echo");
        let answer = mesh.send(delete).await.unwrap();
        assert!(
            [401, 404, 405].contains(&answer.status),
            "{}: {answer}",
            peer.name()
        );
        for path in ["/livez", "/readyz", "/openapi.json", "/docs", "/metrics"] {
            mesh.get(peer, path)
                .await
                .unwrap()
                .is(200)
                .unwrap_or_else(|seen| panic!("{}: {path}: {seen}", peer.name()));
        }
    }
    mesh.get(Peer::Authority, "/admin/ensure")
        .await
        .unwrap()
        .refused(405, "METHOD_NOT_ALLOWED")
        .unwrap();
    for query in ["limit=0", "limit=ten", "cursor=%00", "unknown=1"] {
        let answer = mesh
            .get(Peer::Authority, &format!("/admin/state?{query}"))
            .await
            .unwrap();
        assert_eq!(answer.status, 400, "{query}: {answer}");
    }
    let body = json!({ "clientId": "site", "secret": SECRET, "targets": [] });
    let request = mesh
        .request(Method::POST, Peer::Authority, "/admin/ensure")
        .json(&body);
    let answer = mesh
        .send(request.header("sec-fetch-site", "cross-site"))
        .await
        .unwrap();
    assert_eq!(answer.status, 403, "a page of another site: {answer}");
    let request = mesh
        .request(Method::POST, Peer::Authority, "/admin/ensure")
        .json(&body);
    let answer = mesh
        .send(request.header("origin", "http://evil.example"))
        .await
        .unwrap();
    assert_eq!(answer.status, 403, "a page of another site: {answer}");
    assert_eq!(mesh.record(Peer::Authority, "site").await.unwrap(), None);
}
