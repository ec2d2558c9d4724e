//! Signing in and out.

use crate::browser::Browser;
use crate::front::{ADA, BOB, Front, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_comes_to_a_peer_by_name_and_no_peer_sees_the_cookies() {
    let front = Front::start().await;
    let mut ada = front.browser();
    let led = ada.open("/clients/http/billing?x=1").await;
    led.is(303);
    assert_eq!(
        led.location(),
        "/login?next=%2Fclients%2Fhttp%2Fbilling%3Fx%3D1"
    );
    ada.get("/api/state").await.is(401);
    let page = ada.open("/login?next=%2Ftargets").await;
    assert!(
        page.is(200).body.contains("value=\"/targets\""),
        "{}",
        page.body
    );

    let wrong = ada.sign_in(ADA, "wrong").await;
    assert!(
        wrong.is(401).body.contains("role=\"alert\""),
        "{}",
        wrong.body
    );
    assert!(!wrong.body.contains("value=\"wrong\""), "{}", wrong.body);
    assert!(ada.cookies.is_empty());
    let fields = [("email", ADA), ("password", PASSWORD), ("next", "/targets")];
    let done = ada.send("/login", &fields).await;
    assert_eq!(done.is(303).location(), "/targets");
    for cookie in done.headers.get_all("set-cookie") {
        let text = cookie.to_str().unwrap();
        assert!(
            text.contains("HttpOnly") && text.contains("SameSite=Lax"),
            "{text}"
        );
        assert!(!text.contains("Secure"), "{text}");
    }

    ada.open("/targets").await.is(200);
    let seen = front.one.only();
    assert!(seen.all("cookie").is_empty(), "{seen:?}");
    let told = front.token(&seen, "one", "GET", "/targets").await.unwrap();
    assert_eq!(told.name.as_deref(), Some(ADA));
    assert_eq!(told.subject, front.id(ADA).await);
    assert!(told.session.is_some());

    let session = ada.get("/api/v1/session").await;
    assert!(session.is(200).body.contains(ADA), "{session:?}");
    let stolen = ada.clone();
    let out = ada.send("/logout", &[]).await;
    assert_eq!(out.is(303).location(), "/login");
    assert!(ada.cookies.is_empty(), "{:?}", ada.cookies);
    for (name, value) in &stolen.cookies {
        let mut thief = front.browser();
        thief.cookies.insert(name.clone(), value.clone());
        thief.get("/targets").await.is(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_signs_nobody_in_or_out() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    let form = "email=bob%40example.org&password=x";
    for headers in [
        [("origin", "http://evil.example"), ("accept", "text/html")],
        [("sec-fetch-site", "cross-site"), ("accept", "text/html")],
        [("sec-fetch-site", "same-site"), ("accept", "text/html")],
    ] {
        for path in [
            "/login",
            "/logout",
            "/login/link",
            "/api/v1/auth/login",
            "/account/sessions/end",
        ] {
            let refused = ada.ask("POST", path, &headers, form).await;
            assert!(
                refused.is(403).body.contains("CROSS_SITE_REQUEST"),
                "{refused:?}"
            );
            assert!(refused.set().is_empty());
        }
        ada.ask("DELETE", "/api/v1/sessions", &headers, "")
            .await
            .is(403);
    }
    ada.get("/").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_eleventh_failure_waits_and_another_account_does_not() {
    let front = Front::start().await;
    let mut browser = front.browser();
    for attempt in 1..=10 {
        let refused = browser.sign_in(ADA, &format!("wrong {attempt}")).await;
        refused.is(401);
    }
    let refused = browser.sign_in(ADA, PASSWORD).await;
    assert!(refused.is(429).body.contains("15 minutes"), "{refused:?}");
    browser.sign_in(BOB, PASSWORD).await.is(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_users_are_refused_in_the_same_words() {
    let front = Front::start().await;
    let mut browser = front.browser();
    let body = |body: &str, email: &str| body.replace(email, "");
    let known = browser.sign_in(ADA, "wrong").await;
    let unknown = browser.sign_in("eve@example.org", "wrong").await;
    assert_eq!(known.status, unknown.status);
    assert_eq!(
        body(&known.body, ADA),
        body(&unknown.body, "eve@example.org")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_in_once_and_looking_at_it_uses_nothing_up() {
    let front = Front::start().await;
    let token = front.sign_in_link(BOB).await;
    let path = format!("/login/link?token={token}");
    for _ in 0..3 {
        let page = front.browser().open(&path).await;
        assert!(page.is(200).body.contains(BOB), "{page:?}");
    }
    let mut bob = front.browser();
    bob.send("/login/link", &[("token", &token)]).await.is(303);
    bob.get("/").await.is(200);
    let mut other = front.browser();
    other.open(&path).await.is(410);
    other
        .send("/login/link", &[("token", &token)])
        .await
        .is(410);
    assert!(other.cookies.is_empty());
    // What a browser may do is not asked of who has a link to somebody else.
    Browser::new(front.address)
        .open("/login/link?token=x")
        .await
        .is(410);
}
