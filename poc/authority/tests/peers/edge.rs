//! The HTTP edge: every bad input gets its named problem.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Addresses, Peer, SECRET, config};

/// Method, path, body, status, code, field.
type Case<'a> = (
    &'a str,
    &'a str,
    Option<String>,
    u16,
    &'a str,
    Option<&'a str>,
);

#[expect(clippy::needless_pass_by_value, reason = "reads better in a table")]
fn body(value: Value) -> Option<String> {
    Some(value.to_string())
}

fn of_changes() -> Vec<Case<'static>> {
    let long = "x".repeat(129);
    let ensure = |name: &str, value: Value| {
        let mut body = json!({ "clientId": "c", "secret": SECRET, "targets": [] });
        body[name] = value;
        Some(body.to_string())
    };
    let invalid = |path, body, field| ("POST", path, body, 400, "INVALID_OPTIONS", Some(field));
    vec![
        (
            "POST",
            "/admin/ensure",
            Some("{".to_owned()),
            400,
            "INVALID_JSON",
            None,
        ),
        (
            "POST",
            "/admin/ensure",
            Some("[]".to_owned()),
            400,
            "INVALID_JSON",
            None,
        ),
        (
            "POST",
            "/admin/ensure",
            Some("x".repeat(65_537)),
            413,
            "PAYLOAD_TOO_LARGE",
            None,
        ),
        invalid(
            "/admin/ensure",
            Some(r#"{"clientId":"a","clientId":"b"}"#.to_owned()),
            "clientId",
        ),
        invalid("/admin/ensure", None, "clientId"),
        invalid("/admin/ensure", ensure("clientId", json!(7)), "clientId"),
        invalid("/admin/ensure", ensure("clientId", json!("  ")), "clientId"),
        invalid("/admin/ensure", ensure("clientId", json!(long)), "clientId"),
        invalid(
            "/admin/ensure",
            ensure("clientId", json!("a\u{0}b")),
            "clientId",
        ),
        invalid("/admin/ensure", ensure("secret", json!("short")), "secret"),
        invalid("/admin/ensure", ensure("secret", json!(long)), "secret"),
        invalid("/admin/ensure", ensure("secret", Value::Null), "secret"),
        invalid(
            "/admin/ensure",
            ensure("targets", json!("consumer")),
            "targets",
        ),
        invalid("/admin/ensure", ensure("targets", json!([1])), "targets"),
        invalid(
            "/admin/ensure",
            ensure("targets", json!(["nowhere"])),
            "targets",
        ),
        invalid(
            "/admin/ensure",
            ensure("targets", json!(["a_b"])),
            "targets",
        ),
        invalid(
            "/admin/ensure",
            ensure("targets", json!(["consumer", "consumer"])),
            "targets",
        ),
        invalid("/admin/ensure", ensure("track", json!("tcp")), "track"),
        invalid(
            "/admin/ensure",
            ensure("allowedIps", json!(["300.1.1.1"])),
            "allowedIps",
        ),
        invalid(
            "/admin/ensure",
            ensure("expiresAt", json!("soon")),
            "expiresAt",
        ),
        invalid(
            "/admin/ensure",
            ensure("expiresAt", json!(1.5)),
            "expiresAt",
        ),
        invalid("/admin/ensure", ensure("secert", json!("x")), "secert"),
        invalid("/admin/ensure?dry=1", ensure("clientId", json!("c")), "dry"),
        invalid("/admin/rotate", body(json!({ "clientId": "c" })), "secret"),
        invalid(
            "/admin/rotate",
            body(json!({ "clientId": "c", "secret": SECRET, "targets": [] })),
            "targets",
        ),
        (
            "POST",
            "/admin/rotate",
            body(json!({ "clientId": "nobody", "secret": SECRET })),
            404,
            "UNKNOWN_CLIENT",
            Some("clientId"),
        ),
        invalid("/admin/revoke", body(json!({ "clientId": "c" })), "targets"),
        invalid("/admin/sync", body(json!({ "now": true })), "now"),
        invalid("/admin/resync", body(json!({})), "target"),
        invalid(
            "/admin/resync",
            body(json!({ "target": "consumer", "clientId": "c" })),
            "clientId",
        ),
        invalid(
            "/admin/resync",
            body(json!({ "target": "consumer", "track": "http" })),
            "track",
        ),
    ]
}

fn of_the_rest() -> Vec<Case<'static>> {
    let invalid = |path, body, field| ("POST", path, body, 400, "INVALID_OPTIONS", Some(field));
    let target = |name: Value, secret: Value| {
        body(json!({ "targetAmqpQueue": name, "propagationSecret": secret }))
    };
    vec![
        (
            "GET",
            "/admin/state?limit=0",
            None,
            400,
            "INVALID_OPTIONS",
            Some("limit"),
        ),
        (
            "GET",
            "/admin/state?limit=501",
            None,
            400,
            "INVALID_OPTIONS",
            Some("limit"),
        ),
        (
            "GET",
            "/admin/state?page=2",
            None,
            400,
            "INVALID_OPTIONS",
            Some("page"),
        ),
        (
            "GET",
            "/admin/state?cursor=%00",
            None,
            400,
            "INVALID_OPTIONS",
            Some("cursor"),
        ),
        invalid(
            "/admin/targets",
            target(json!("a_b"), json!("s")),
            "targetAmqpQueue",
        ),
        invalid(
            "/admin/targets",
            target(json!("x".repeat(129)), json!("s")),
            "targetAmqpQueue",
        ),
        invalid(
            "/admin/targets",
            target(json!("new"), json!("")),
            "propagationSecret",
        ),
        invalid(
            "/admin/targets",
            target(json!("new"), json!("a\nb")),
            "propagationSecret",
        ),
        (
            "POST",
            "/admin/targets",
            target(json!("authority"), json!("s")),
            400,
            "SELF_TARGET",
            Some("targetAmqpQueue"),
        ),
        (
            "DELETE",
            "/admin/targets/authority",
            None,
            400,
            "SELF_TARGET",
            Some("targetAmqpQueue"),
        ),
        (
            "DELETE",
            "/admin/targets/nowhere",
            None,
            404,
            "UNKNOWN_TARGET",
            None,
        ),
        invalid(
            "/admin/call-target",
            body(json!({ "target": "http://example.com/", "clientId": "c" })),
            "target",
        ),
        invalid(
            "/admin/call-target",
            body(json!({ "target": "other", "clientId": "" })),
            "clientId",
        ),
        (
            "POST",
            "/admin/call-target",
            body(json!({ "target": "other", "clientId": "nobody" })),
            404,
            "UNKNOWN_CLIENT",
            Some("clientId"),
        ),
        (
            "POST",
            "/admin/call-target",
            body(json!({ "target": "other", "clientId": "c", "secret": SECRET })),
            503,
            "TARGET_UNREACHABLE",
            None,
        ),
        invalid("/admin/hash", body(json!({ "secret": "" })), "secret"),
        ("GET", "/nowhere", None, 404, "NOT_FOUND", None),
        (
            "GET",
            "/admin/ensure",
            None,
            405,
            "METHOD_NOT_ALLOWED",
            None,
        ),
        ("GET", "/api/echo", None, 401, "MISSING_CLIENT_ID", None),
        (
            "POST",
            "/api/echo",
            Some("x".repeat(70_000)),
            401,
            "MISSING_CLIENT_ID",
            None,
        ),
    ]
}

/// Tells whether the document says that the route may answer so. What is no route of it is told for all at once.
fn is_documented(document: &Value, method: &str, path: &str, status: u16, code: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let path = match path.split_once("/targets/") {
        Some((prefix, _)) => format!("{prefix}/targets/{{queue}}"),
        None => path.to_owned(),
    };
    let about = document["info"]["description"].as_str().unwrap_or_default();
    let operation = &document["paths"][path.as_str()][method.to_lowercase()];
    let told = match operation.is_null() {
        true => about,
        false => operation["responses"][status.to_string()]["description"]
            .as_str()
            .unwrap_or_default(),
    };
    told.contains(&format!("`{code}`"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_input_gets_its_named_problem() {
    let rabbitmq = services::rabbitmq().await.unwrap();
    let mariadb = services::mariadb().await.unwrap();
    let redis = services::redis().await.unwrap();
    let addresses = Addresses {
        amqp: &rabbitmq.vhost("edge").await.unwrap(),
        redis: redis.url(),
        database: &mariadb.database("edge").await.unwrap(),
    };
    let peer = Peer::start(config(
        "authority",
        "consumer",
        0,
        &addresses,
        "other=http://127.0.0.1:9",
    ))
    .await;
    peer.ready().await;
    let (_, document) = peer.get("/openapi.json").await;
    for (method, path, body, status, code, field) in of_changes().into_iter().chain(of_the_rest()) {
        let method: Method = method.parse().unwrap();
        for prefix in ["/admin", "/api"] {
            let path = path.replacen("/admin", prefix, 1);
            let (found, problem) = peer.send(method.clone(), &path, body.as_deref()).await;
            let shown: String = body.clone().unwrap_or_default().chars().take(120).collect();
            let about = format!("{method} {path} {shown} -> {found} {problem}");
            assert_eq!(found, status, "{about}");
            assert_eq!(problem["error"].as_str(), Some(code), "{about}");
            assert_eq!(problem["field"].as_str(), field, "{about}");
            assert!(
                problem["message"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{about}"
            );
            assert!(!problem.to_string().contains(SECRET), "{about}");
            assert!(
                is_documented(&document, method.as_str(), &path, status, code),
                "not in the document: {about}"
            );
        }
    }
    let (_, state) = peer.get("/admin/state").await;
    assert_eq!(state["credentials"], json!([]), "nothing was written");
    peer.stop().await;
}
