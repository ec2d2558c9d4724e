//! Requests with a body of JSON.

use mesh_api::problem::BODY_LIMIT;
use serde_json::json;

use crate::testkit::parts::{SECRET, surface};
use crate::testkit::{Mounted, post, request};

fn ensure() -> String {
    json!({ "clientId": "c", "secret": SECRET, "targets": [] }).to_string()
}

/// The client is answered as it is kept.
pub async fn an_ensure_creates_and_then_updates<M: Mounted>() {
    let mounted = M::mount(surface());
    for op in ["credential.create", "credential.update"] {
        let answer = mounted.ask(post("/ensure", ensure())).await;
        answer.is(200, &format!(r#"{{"clientId":"c","op":"{op}"}}"#));
    }
    let whole = json!({
        "clientId": "d", "secret": SECRET, "targets": [], "track": "message",
        "allowedIps": ["10.0.0.0/8"], "expiresAt": 4_102_444_800_000_i64
    });
    let answer = mounted.ask(post("/ensure", whole.to_string())).await;
    answer.is(200, r#"{"clientId":"d","op":"credential.create"}"#);
}

/// 404 for one that nobody has ensured.
pub async fn a_rotate_wants_a_known_client<M: Mounted>() {
    let mounted = M::mount(surface());
    let rotate = json!({ "clientId": "c", "secret": SECRET }).to_string();
    let answer = mounted.ask(post("/rotate", rotate.clone())).await;
    answer.refuses(404, "UNKNOWN_CLIENT", "clientId", "unknown client c");
    mounted.ask(post("/ensure", ensure())).await;
    let answer = mounted.ask(post("/rotate", rotate)).await;
    answer.is(200, r#"{"clientId":"c"}"#);
}

/// Whether it was known or not.
pub async fn a_revoke_answers_the_client<M: Mounted>() {
    let mounted = M::mount(surface());
    mounted.ask(post("/ensure", ensure())).await;
    let revoke = r#"{"clientId":"c","targets":[]}"#;
    let answer = mounted.ask(post("/revoke", revoke)).await;
    answer.is(200, r#"{"clientId":"c"}"#);
}

/// Of one of them, and the track goes with the client.
pub async fn a_resync_is_of_a_target_or_a_client<M: Mounted>() {
    let mounted = M::mount(surface());
    for (body, field, message) in [
        ("", "target", "is missing, and so is clientId"),
        ("{}", "target", "is missing, and so is clientId"),
        (
            r#"{"target":"a","clientId":"c"}"#,
            "clientId",
            "is given together with target",
        ),
        (
            r#"{"target":"a","track":null}"#,
            "track",
            "goes with clientId only; a target is resynced whole",
        ),
    ] {
        let answer = mounted.ask(post("/resync", body)).await;
        answer.refuses(400, "INVALID_OPTIONS", field, message);
    }
}

/// An empty body is an empty object, and so is none at all; a byte order mark is passed over.
pub async fn a_sync_has_no_fields<M: Mounted>() {
    let mounted = M::mount(surface());
    for asked in [
        post("/sync", " \n"),
        post("/sync", "{}"),
        post("/sync", "\u{feff}{}"),
        request("POST", "/sync"),
    ] {
        let answer = mounted.ask(asked).await;
        let begins = r#"{"durationMs":"#;
        assert!(
            answer.status == 200 && answer.body.starts_with(begins),
            "{answer:?}"
        );
    }
    let answer = mounted.ask(post("/sync", r#"{"now":true}"#)).await;
    let message = "is not a field of this request, which has none";
    answer.refuses(400, "INVALID_OPTIONS", "now", message);
}

/// In words, and without repeating what was sent.
pub async fn mistakes_name_their_field<M: Mounted>() {
    let mounted = M::mount(surface());
    let unknown = "is not a field of this request; it has clientId, secret, targets, track, allowedIps, expiresAt";
    let unusual =
        "is not known here, and a new one has visible ASCII characters only, and no blank";
    for client_id in [" c", "c ", "caf\u{e9}", "a\u{202e}c"] {
        let ensure = json!({ "clientId": client_id, "secret": SECRET, "targets": [] });
        let answer = mounted.ask(post("/ensure", ensure.to_string())).await;
        answer.refuses(400, "INVALID_OPTIONS", "clientId", unusual);
    }
    for (body, field, message) in [
        ("{}", "clientId", "is missing"),
        (r#"{"clientId":null}"#, "clientId", "is missing"),
        (
            r#"{"clientId":7}"#,
            "clientId",
            "must be a text, not a number",
        ),
        (
            r#"{"clientId":"a","clientId":"b"}"#,
            "clientId",
            "is given twice",
        ),
        (r#"{"secert":"s3cr3t"}"#, "secert", unknown),
        (
            r#"{"targets":"s3cr3t"}"#,
            "targets",
            "must be a list of texts, not a text",
        ),
        (r#"{"track":"s3cr3t"}"#, "track", "must be http or message"),
        (
            r#"{"expiresAt":1.5}"#,
            "expiresAt",
            "must be a whole number of epoch milliseconds, or null, not a number that is not whole",
        ),
    ] {
        let answer = mounted.ask(post("/ensure", body)).await;
        answer.refuses(400, "INVALID_OPTIONS", field, message);
    }
}

/// And where it is not well-formed is said.
pub async fn what_is_no_json_object_is_refused<M: Mounted>() {
    let mounted = M::mount(surface());
    for (body, what) in [
        ("{", "it ends too early, line 1 column 1"),
        ("[]", "another type, line 1 column 0"),
        ("{s3cr3t}", "not well-formed, line 1 column 2"),
        ("{} s3cr3t", "not well-formed, line 1 column 4"),
    ] {
        let answer = mounted.ask(post("/rotate", body)).await;
        let message = format!("the body is not a JSON object ({what})");
        answer.refuses(400, "INVALID_JSON", "", &message);
    }
    let answer = mounted.ask(post("/rotate", [0xff, 0xfe])).await;
    assert!(
        answer.status == 400 && answer.body.contains("INVALID_JSON"),
        "{answer:?}"
    );
}

/// 64 KiB; what is much longer is not even read.
pub async fn a_body_is_bounded<M: Mounted>() {
    let mounted = M::mount(surface());
    let message = "a body has at most 65536 bytes";
    for length in [BODY_LIMIT + 1, 900_000] {
        let answer = mounted.ask(post("/ensure", vec![b' '; length])).await;
        answer.refuses(413, "PAYLOAD_TOO_LARGE", "", message);
    }
    let declared = post("/ensure", "{}").with("content-length", "1048577");
    let answer = mounted.ask(declared).await;
    answer.refuses(413, "PAYLOAD_TOO_LARGE", "", message);
    let answer = mounted.ask(post("/sync", vec![b' '; BODY_LIMIT])).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// With the peer's pepper, which this one has not.
pub async fn a_secret_is_hashed<M: Mounted>() {
    let mounted = M::mount(surface());
    let answer = mounted.ask(post("/hash", r#"{"secret":"a"}"#)).await;
    let hash = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    answer.is(200, &format!(r#"{{"hash":"{hash}"}}"#));
    let answer = mounted.ask(post("/hash", r#"{"secret":""}"#)).await;
    answer.refuses(400, "INVALID_OPTIONS", "secret", "is empty");
}

/// This is no open proxy.
pub async fn a_call_is_of_a_configured_peer<M: Mounted>() {
    let mounted = M::mount(surface());
    let call = |target: &str| {
        let call = json!({ "target": target, "clientId": "c", "secret": SECRET });
        post("/call-target", call.to_string())
    };
    let answer = mounted.ask(call("busy")).await;
    answer.is(
        200,
        r#"{"body":"c","request":{"headers":[],"method":"GET","url":"http://127.0.0.1:9/api/echo"},"status":200}"#,
    );
    let answer = mounted.ask(call("http://127.0.0.1:9/readyz")).await;
    answer.refuses(
        400,
        "INVALID_OPTIONS",
        "target",
        "is another route than /api/echo",
    );
    let answer = mounted.ask(call("http://127.0.0.1:8")).await;
    answer.refuses(
        400,
        "INVALID_OPTIONS",
        "target",
        "is not a URL of a configured peer",
    );
    let unknown = post("/call-target", r#"{"target":"busy","clientId":"nobody"}"#);
    let answer = mounted.ask(unknown).await;
    answer.refuses(404, "UNKNOWN_CLIENT", "clientId", "unknown client nobody");
}

/// 201, where the mount says so; everything else is answered as ever.
pub async fn a_post_that_is_done_may_be_created<M: Mounted>() {
    let mounted = M::mount(surface().created());
    let answer = mounted.ask(post("/ensure", ensure())).await;
    answer.is(201, r#"{"clientId":"c","op":"credential.create"}"#);
    let answer = mounted.ask(post("/ensure", "{}")).await;
    answer.refuses(400, "INVALID_OPTIONS", "clientId", "is missing");
    let answer = mounted.ask(request("GET", "/state")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let target = r#"{"targetAmqpQueue":"new","propagationSecret":"s"}"#;
    mounted.ask(post("/targets", target)).await;
    let answer = mounted.ask(request("DELETE", "/targets/new")).await;
    answer.is(200, r#"{"op":"target.delete","targetAmqpQueue":"new"}"#);
}
