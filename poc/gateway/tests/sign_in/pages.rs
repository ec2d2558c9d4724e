//! The gateway's own pages, by plain forms.

use crate::front::{ADA, BOB, Front, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_and_ends_the_own_sessions_without_a_script() {
    let front = Front::start().await;
    let (mut here, mut there) = (front.signed_in(ADA).await, front.signed_in(ADA).await);
    let page = here.open("/account/sessions").await;
    assert!(page.is(200).body.contains("This browser"), "{}", page.body);
    assert!(!page.body.contains("/account/people?") && !page.body.contains("<script"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let ended = here.send("/account/sessions/end", &[("but", "this")]).await;
    assert_eq!(ended.is(303).location(), "/account/sessions?ended=1");
    let page = here.open(ended.location()).await;
    assert!(
        page.is(200).body.contains("What you chose was ended"),
        "{}",
        page.body
    );
    there.get("/").await.is(401);
    here.open("/account/style.css").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_invites_somebody_who_chooses_a_password() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    let page = ada.open("/account/people").await;
    assert!(page.is(200).body.contains(BOB), "{}", page.body);
    let fields = [
        ("email", "cyd@example.org"),
        ("name", "Cyd"),
        ("roles", "viewer"),
    ];
    let made = ada.send("/account/people", &fields).await;
    let (_, token) = made.is(200).body.split_once("/login/link?token=").unwrap();
    let token: String = token
        .chars()
        .take_while(|it| it.is_ascii_alphanumeric() || "-_".contains(*it))
        .collect();
    let again = ada.send("/account/people", &fields).await;
    assert!(
        again.is(400).body.contains("has this address already"),
        "{}",
        again.body
    );

    let mut cyd = front.browser();
    let page = cyd.open(&format!("/login/link?token={token}")).await;
    assert!(
        page.is(200).body.contains("cyd@example.org"),
        "{}",
        page.body
    );
    for (password, again, text) in [
        (
            "long enough and odd 47",
            "another one entirely",
            "not the same",
        ),
        ("short", "short", "12 characters"),
    ] {
        let fields = [("token", &*token), ("password", password), ("again", again)];
        let refused = cyd.send("/login/link", &fields).await;
        assert!(refused.is(400).body.contains(text), "{}", refused.body);
    }
    let fields = [
        ("token", &*token),
        ("password", PASSWORD),
        ("again", PASSWORD),
    ];
    cyd.send("/login/link", &fields).await.is(303);
    cyd.get("/api/state").await.is(200);
    cyd.open("/account/people").await.is(403);
    cyd.open("/account/audit").await.is(403);
    let mut other = front.browser();
    other.sign_in("cyd@example.org", PASSWORD).await.is(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_in_the_audit_with_who_made_them() {
    let front = Front::start().await;
    let (mut ada, mut bob) = (front.signed_in(ADA).await, front.signed_in(BOB).await);
    bob.keep("POST", "/api/ensure", &[], "{}").await.is(200);
    let request = bob
        .keep("POST", "/api/mesh/peers/two/stop", &[], "{}")
        .await;
    let id = request.header("x-request-id").to_owned();
    front.until_audited(&mut ada, &id).await;
    let page = ada.open("/account/audit?actor=bob%40example.org").await;
    for text in ["ensure", "login", "bob@example.org", &id] {
        assert!(page.is(200).body.contains(text), "{text}: {}", page.body);
    }
    let csv = ada.open("/account/audit.csv?action=ensure").await;
    assert!(csv.is(200).header("content-type").starts_with("text/csv"));
    assert!(
        csv.body.lines().count() == 2 && csv.body.contains(BOB),
        "{}",
        csv.body
    );
    let json = ada.open("/account/audit.json?action=ensure").await;
    let json: serde_json::Value = serde_json::from_str(&json.is(200).body).unwrap();
    assert_eq!(json["rows"][0]["actor"], BOB);
    assert_eq!(json["rows"][0]["outcome"], "done");
    assert_eq!(json["rows"][0]["peer"], "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_managed_by_json_too() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    let listed = ada.get("/api/v1/user/paged?page=1&limit=1").await;
    let listed: serde_json::Value = serde_json::from_str(&listed.is(200).body).unwrap();
    assert_eq!(listed["total"], 2);
    let path = format!("/api/v1/user/{}", front.id(ADA).await);
    let last = ada.keep("DELETE", &path, &[], "").await;
    last.is(409);
    let mut bob = front.signed_in(BOB).await;
    let refused = bob.get("/api/v1/user/paged").await;
    assert!(refused.is(403).body.contains("accounts:write"));
    bob.get("/api/v1/audit").await.is(403);
    ada.get("/api/v1/audit?limit=5").await.is(200);
    ada.get("/api/v1/nothing").await.is(404);
    front.browser().get("/api/v1/user").await.is(401);
}
