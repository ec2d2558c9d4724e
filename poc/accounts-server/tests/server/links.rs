//! One-time links.

use accounts_server::{Operation, Policy};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{OTHER_PASSWORD, PASSWORD, Server, Who};

async fn redeem(server: &Server, token: &str, password: Option<&str>) -> (u16, Value) {
    let mut body = json!({ "token": token, "agent": "Firefox", "address": "203.0.113.9" });
    if let Some(password) = password {
        body["password"] = password.into();
    }
    server
        .call(&Who::System, Operation::RedeemLink, &body)
        .await
}

async fn look(server: &Server, token: &str) -> (u16, Value) {
    let body = json!({ "token": token });
    server
        .call(&Who::System, Operation::LookAtLink, &body)
        .await
}

#[tokio::test]
async fn the_newest_link_alone_counts() {
    let server = Server::sqlite(Policy::default()).await;
    let id = server.person("ada@example.org", &["viewer"]).await;
    let first = server.link(&id, "sign-in").await;
    let second = server.link(&id, "sign-in").await;
    assert_eq!(redeem(&server, &first, None).await.0, 401);
    assert_eq!(redeem(&server, &second, None).await.0, 200);
}

#[tokio::test]
async fn whoever_types_nonsense_locks_nobodys_link() {
    let server = Server::sqlite(Policy::default()).await;
    let id = server.person("ada@example.org", &["viewer"]).await;
    let token = server.link(&id, "sign-in").await;
    let statuses = async |token: &str| redeem(&server, token, None).await.0;
    for _ in 0..10 {
        assert_eq!(statuses("lnk_nonsense").await, 401);
    }
    assert_eq!(statuses("lnk_nonsense").await, 429);
    assert_eq!(statuses(&token).await, 200);
}

#[tokio::test]
async fn a_link_signs_in_once() {
    let server = Server::sqlite(Policy::default()).await;
    let id = server.person("ada@example.org", &["viewer"]).await;
    let token = server.link(&id, "sign-in").await;
    let (status, shown) = look(&server, &token).await;
    assert_eq!((status, &shown["email"]), (200, &json!("ada@example.org")));
    assert_eq!(shown["kind"], "sign-in");
    let (status, person) = redeem(&server, &token, None).await;
    assert_eq!((status, &person["id"]), (200, &json!(id)));
    assert_eq!(
        person["version"], 3,
        "a session begins with the version after the link"
    );
    let (status, refused) = redeem(&server, &token, None).await;
    assert_eq!((status, &refused["code"]), (401, &json!("INVALID_LINK")));
    assert_eq!(look(&server, &token).await.0, 401);
    assert_eq!(redeem(&server, "lnk_", None).await.0, 401);
    let rows = server.audit("?action=link.redeem&outcome=done").await;
    assert_eq!((rows.len(), &rows[0]["reason"]), (1, &json!("sign-in")));
}

#[tokio::test]
async fn a_link_counts_once_for_twenty_at_once() {
    let stores = [
        Server::sqlite(Policy::default()).await,
        Server::mariadb(Policy::default()).await,
    ];
    for server in stores {
        let id = server.person("ada@example.org", &["viewer"]).await;
        let token = server.link(&id, "sign-in").await;
        // From addresses of their own: failures of one address are counted.
        let redeemed = join_all((0..20).map(|place| {
            let body = json!({ "token": token, "address": format!("203.0.113.{place}") });
            let server = &server;
            async move {
                server
                    .call(&Who::System, Operation::RedeemLink, &body)
                    .await
                    .0
            }
        }));
        let redeemed = redeemed.await;
        let count = |status| redeemed.iter().filter(|it| **it == status).count();
        assert_eq!((count(200), count(401)), (1, 19), "{redeemed:?}");
    }
}

#[tokio::test]
async fn a_password_is_chosen_and_other_sessions_end() {
    let server = Server::sqlite(Policy::default()).await;
    let id = server.person("ada@example.org", &["viewer"]).await;
    let (_, jti) = server.session(&id).await;
    let token = server.link(&id, "choose-password").await;
    for (password, code) in [
        (None, "INVALID"),
        (Some("short"), "WEAK_PASSWORD"),
        (Some("ada@example.org"), "WEAK_PASSWORD"),
    ] {
        let (status, refused) = redeem(&server, &token, password).await;
        assert_eq!(
            (status, &refused["code"]),
            (400, &json!(code)),
            "{password:?}"
        );
        assert_eq!(refused["field"], "password");
    }
    let (status, person) = redeem(&server, &token, Some(OTHER_PASSWORD)).await;
    assert_eq!(status, 200, "{person}");
    assert_eq!(server.sign_in("ada@example.org", PASSWORD).await.0, 401);
    assert_eq!(
        server.sign_in("ada@example.org", OTHER_PASSWORD).await.0,
        200
    );
    let (status, refused) = server.rotate(&jti, &crate::support::id()).await;
    let dead = json!({ "error": "Refresh chain family-revoked" });
    assert_eq!((status, refused), (401, dead));
    assert_eq!(redeem(&server, &token, Some(OTHER_PASSWORD)).await.0, 401);
}

#[tokio::test]
async fn a_link_is_void_once_the_account_was_changed() {
    let server = Server::memory().await;
    let id = server.person("ada@example.org", &["viewer"]).await;
    let token = server.link(&id, "sign-in").await;
    let uri = format!("/v1/user/{id}");
    let body = json!({ "name": "Ada L." });
    let changed = server
        .call_at(&Who::Admin, Operation::ChangeUser, &uri, &body)
        .await;
    assert_eq!(changed.0, 200);
    assert_eq!(redeem(&server, &token, None).await.0, 401);
    let body = json!({ "userId": crate::support::id(), "kind": "sign-in" });
    let unknown = server.call(&Who::Admin, Operation::MakeLink, &body).await;
    assert_eq!(unknown, (404, json!({ "error": "Not found" })));
}

#[tokio::test]
async fn who_guesses_links_waits() {
    let server = Server::memory().await;
    for _ in 0..10 {
        assert_eq!(redeem(&server, "lnk_guessed", None).await.0, 401);
    }
    let (status, refused) = redeem(&server, "lnk_guessed", None).await;
    assert_eq!(
        (status, &refused["code"]),
        (429, &json!("TOO_MANY_ATTEMPTS"))
    );
}
