//! Clients of the original: JSON, the access token in a header, the refresh token in a cookie.

use crate::front::{ADA, Front, PASSWORD, Told};

const JSON: (&str, &str) = ("content-type", "application/json");

fn credentials(password: &str) -> String {
    serde_json::json!({ "email": ADA, "password": password, "remember": true }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_original_signs_in_goes_on_and_signs_out() {
    let front = Front::start().await;
    let mut client = front.browser();
    for (body, status, text) in [
        ("{}", 400, "Missing credentials"),
        ("[1", 400, "Missing credentials"),
        (&*credentials("wrong"), 401, "Invalid email or password"),
    ] {
        let refused = client
            .keep("POST", "/api/v1/auth/login", &[JSON], body)
            .await;
        assert_eq!(refused.is(status).body, format!("{{\"error\":\"{text}\"}}"));
    }
    let done = client
        .keep(
            "POST",
            "/api/v1/auth/login",
            &[JSON],
            &credentials(PASSWORD),
        )
        .await;
    assert_eq!(done.is(200).body, "");
    assert_eq!(done.header("cache-control"), "no-store");
    let access = done.header("authorization").to_owned();
    assert_eq!(access.matches('.').count(), 2, "{access}");
    assert_eq!(client.cookies.keys().collect::<Vec<_>>(), ["refreshToken"]);
    let remembered = done.header("set-cookie");
    assert!(remembered.contains("Max-Age=2591999") || remembered.contains("Max-Age=2592000"));

    let bare = ("authorization", access.as_str());
    let before = front.link.requests();
    let secure = client
        .keep("GET", "/api/v1/health/secure", &[bare], "")
        .await;
    assert!(secure.is(200).set().is_empty());
    client
        .keep("GET", "/api/v1/peers/one/state", &[bare], "")
        .await
        .is(200);
    assert_eq!(front.link.requests(), before, "a valid token costs no call");

    let mut viewer = front.browser();
    let id = front.id(crate::front::BOB).await;
    let mut ada = front.signed_in(ADA).await;
    ada.send(
        &format!("/account/people/{id}/roles"),
        &[("roles", "viewer")],
    )
    .await
    .is(303);
    let body = credentials(PASSWORD).replace(ADA, crate::front::BOB);
    let done = viewer
        .keep("POST", "/api/v1/auth/login", &[JSON], &body)
        .await;
    let its = [("authorization", done.is(200).header("authorization"))];
    let denied = viewer
        .ask("POST", "/api/v1/peers/one/sync", &its, "{}")
        .await;
    let text = "\"error\":\"Access denied: insufficient permissions\"";
    assert!(denied.is(403).body.contains(text), "{denied:?}");

    let renewed = client.get("/api/v1/health/secure").await;
    assert_eq!(
        renewed.is(200).header("authorization").matches('.').count(),
        2
    );
    assert!(renewed.set().contains_key("refreshToken"));

    let mut alone = front.browser();
    let refused = alone
        .keep("GET", "/api/v1/health/secure", &[bare], "")
        .await;
    assert!(
        refused
            .is(401)
            .body
            .contains("Access denied: no refresh token")
    );

    let out = client.keep("POST", "/api/v1/auth/logout", &[], "").await;
    assert_eq!(out.is(200).body, "");
    assert!(client.cookies.is_empty());
    client
        .keep("POST", "/api/v1/auth/logout", &[], "")
        .await
        .is(200);
    client.get("/api/v1/health").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_proves_too_often_who_it_is_waits() {
    let front = Front::told(Told {
        attempts: 2,
        ..Told::default()
    })
    .await;
    let client = front.browser();
    let body = credentials("wrong");
    for remaining in ["remaining=1", "remaining=0"] {
        let refused = client
            .ask("POST", "/api/v1/auth/login", &[JSON], &body)
            .await;
        assert_eq!(refused.is(401).header("ratelimit-policy"), "2;w=900");
        let left = refused.header("ratelimit");
        assert!(
            left.starts_with("limit=2, ") && left.contains(remaining),
            "{left}"
        );
    }
    let refused = client
        .ask("POST", "/api/v1/auth/login", &[JSON], &body)
        .await;
    let said = r#"{"error":"Too many attempts, please try again later."}"#;
    assert_eq!(refused.is(429).body, said);
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!((400..=451).contains(&wait), "{wait}");
    let mut browser = front.browser();
    let page = browser.sign_in(ADA, PASSWORD).await;
    assert!(page.is(429).body.contains("<h1>"), "{}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_listed_origin_may_ask_and_no_others() {
    let app = "https://app.example";
    let front = Front::told(Told {
        origins: vec![app.parse().unwrap()],
        ..Told::default()
    })
    .await;
    let mut client = front.browser();
    let headers = [JSON, ("origin", app), ("sec-fetch-site", "cross-site")];
    let body = credentials(PASSWORD);
    let done = client
        .keep("POST", "/api/v1/auth/login", &headers, &body)
        .await;
    assert_eq!(done.is(200).header("access-control-allow-origin"), app);
    assert_eq!(done.header("access-control-allow-credentials"), "true");
    assert_eq!(
        done.header("access-control-expose-headers"),
        "authorization"
    );
    let other = [
        JSON,
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    let refused = client
        .ask("POST", "/api/v1/auth/login", &other, &body)
        .await;
    assert_eq!(refused.is(403).header("access-control-allow-origin"), "");
}
