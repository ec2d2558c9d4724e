//! E-mail address and password.

use std::time::{Duration, Instant};

use accounts_server::{Operation, Policy};
use serde_json::json;

use crate::support::{Claims, OTHER_PASSWORD, PASSWORD, Server, Who};

#[tokio::test]
async fn a_right_password_tells_who_it_is() {
    let server = Server::sqlite(Policy::default()).await;
    let id = server.person("Ada@example.org", &["operator"]).await;
    let (status, person) = server.sign_in(" ada@EXAMPLE.org ", PASSWORD).await;
    assert_eq!(status, 200, "{person}");
    assert_eq!(person["id"], *id);
    assert_eq!(person["email"], "ada@example.org");
    assert_eq!(person["name"], "Ada");
    assert_eq!(person["version"], 1);
    assert_eq!(person["permissions"][1], "credentials:write");
    let rows = server.audit("?action=login").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["actor"], "ada@example.org");
    assert_eq!(rows[0]["outcome"], "done");
    assert_eq!(rows[0]["requestId"], "req-1");
    assert_eq!(rows[0]["address"], "203.0.113.7");
}

#[tokio::test]
async fn every_other_failure_looks_the_same() {
    let server = Server::memory().await;
    let disabled = server.person("gone@example.org", &["viewer"]).await;
    let no_password = json!({ "email": "new@example.org", "name": "New", "roles": ["viewer"] });
    let made = server
        .call(&Who::Admin, Operation::CreateUser, &no_password)
        .await;
    assert_eq!(made.0, 201);
    let uri = format!("/v1/user/{disabled}");
    let gone = server
        .call_at(&Who::Admin, Operation::DisableUser, &uri, &json!({}))
        .await;
    assert_eq!(gone.0, 200);
    let expected =
        json!({ "error": "Email or password incorrect.", "code": "INVALID_CREDENTIALS" });
    let long = "x".repeat(2_000);
    for (email, password) in [
        ("gone@example.org", PASSWORD),
        ("new@example.org", PASSWORD),
        ("nobody@example.org", PASSWORD),
        ("no address", PASSWORD),
        ("nobody@example.org", long.as_str()),
    ] {
        let answer = server.sign_in(email, password).await;
        assert_eq!(answer, (401, expected.clone()), "{email}");
    }
    for body in [
        json!({}),
        json!({ "email": "a@b.c" }),
        json!({ "email": " ", "password": "x" }),
    ] {
        let answer = server.call(&Who::System, Operation::Validate, &body).await;
        assert_eq!(answer, (400, json!({ "error": "Missing credentials" })));
    }
    let body = json!({ "email": "a@b.c", "password": "x", "address": "somewhere" });
    let (status, answer) = server.call(&Who::System, Operation::Validate, &body).await;
    assert_eq!((status, &answer["field"]), (400, &json!("address")));
    let rows = server.audit("?outcome=refused").await;
    assert!(!format!("{rows:?}").contains("no address"), "{rows:?}");
}

#[tokio::test]
async fn the_eleventh_failure_waits_and_nobody_else_does() {
    let server = Server::sqlite(Policy::default()).await;
    server.person("ada@example.org", &["viewer"]).await;
    server.person("bob@example.org", &["viewer"]).await;
    for _ in 0..9 {
        assert_eq!(
            server.sign_in("ada@example.org", OTHER_PASSWORD).await.0,
            401
        );
    }
    // A right one clears them.
    assert_eq!(server.sign_in("ada@example.org", PASSWORD).await.0, 200);
    for _ in 0..10 {
        assert_eq!(
            server.sign_in("ada@example.org", OTHER_PASSWORD).await.0,
            401
        );
    }
    for _ in 0..2 {
        let (status, answer) = server.sign_in("ada@example.org", PASSWORD).await;
        assert_eq!(
            (status, &answer["code"]),
            (429, &json!("TOO_MANY_ATTEMPTS"))
        );
    }
    let claims = Claims {
        audience: "accounts",
        scope: "auth.validate",
        method: "POST",
        uri: "/internal/auth/validate",
    };
    let token = server.token(&Who::System, &claims).await;
    let body =
        json!({ "email": "ada@example.org", "password": PASSWORD, "address": "203.0.113.7" });
    let request = server.request("POST", claims.uri).body(body.to_string());
    let answer = request
        .header("x-internal-auth", token)
        .send()
        .await
        .unwrap();
    let seconds: u64 = answer.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((800..=900).contains(&seconds), "{seconds}");
    assert_eq!(server.sign_in("bob@example.org", PASSWORD).await.0, 200);
    let rows = server
        .audit("?action=login&outcome=refused&limit=500")
        .await;
    let too_many = rows
        .iter()
        .filter(|row| row["reason"] == "TOO_MANY_ATTEMPTS");
    assert_eq!(too_many.count(), 1, "once in a window");
}

#[tokio::test]
async fn nobody_learns_by_time_who_has_an_account() {
    let server = Server::memory().await;
    server.person("ada@example.org", &["viewer"]).await;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..15 {
        for (email, times) in ["ada@example.org", "nobody@example.org"]
            .iter()
            .zip(&mut times)
        {
            let body = json!({ "email": email, "password": OTHER_PASSWORD });
            let begun = Instant::now();
            let answer = server.call(&Who::System, Operation::Validate, &body).await;
            times.push(begun.elapsed());
            assert_eq!(answer.0, 401);
        }
    }
    let [wrong, unknown] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    let (less, more) = (wrong.min(unknown), wrong.max(unknown));
    assert!(
        more < less.mul_f64(1.5),
        "wrong {wrong:?}, unknown {unknown:?}"
    );
    assert!(less > Duration::from_millis(2), "a password was checked");
}
