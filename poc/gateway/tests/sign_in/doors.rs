//! What opens one door opens no other, and nothing secret is written to a log.

use gateway::token::{self, Holder};
use mesh_api::permission::Role;
use services::log::Log;

use crate::front::{ADA, Front, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_kind_opens_no_other_door_of_the_gateway() {
    let front = Front::start().await;
    let ada = front.signed_in(ADA).await;
    let (access, refresh) = (&ada.cookies["access"], &ada.cookies["refreshToken"]);
    let holder = Holder {
        role: Role::Admin,
        audience: front.url(),
        subject: front.id(ADA).await,
    };
    let (url, minute) = (front.url(), std::time::Duration::from_secs(60));
    let machine = token::access(front.signer(), &url, &holder, minute).await;
    let machine = machine.unwrap().token;
    let internal = token::internal(front.signer(), &holder, "GET", "/api/state")
        .await
        .unwrap();
    let link = front.sign_in_link(ADA).await;
    for (kind, token) in [
        ("machine", machine.expose()),
        ("internal", internal.expose()),
        ("link", &*link),
    ] {
        for cookie in ["access", "refreshToken", "__Host-access", "__Host-refresh"] {
            let mut thief = front.browser();
            thief.cookies.insert(cookie.to_owned(), token.to_owned());
            let refused = thief.get("/api/state").await;
            assert_eq!(refused.status, 401, "{kind} as {cookie}");
        }
        for value in [
            token.to_owned(),
            format!("Bearer {token}"),
            format!("DPoP {token}"),
        ] {
            let mut thief = front.browser();
            thief
                .cookies
                .insert("refreshToken".to_owned(), token.to_owned());
            let header = ("authorization", value.as_str());
            let refused = thief.keep("GET", "/api/state", &[header], "").await;
            assert_eq!(refused.status, 401, "{kind} in Authorization");
        }
    }
    for (name, value) in [("access", refresh), ("refreshToken", access)] {
        let mut swapped = front.browser();
        swapped.cookies.insert(name.to_owned(), value.clone());
        swapped.get("/api/state").await.is(401);
    }
    for token in [access, refresh, &link] {
        let headers = [("x-internal-auth", token.as_str())];
        front
            .browser()
            .ask("GET", "/api/state", &headers, "")
            .await
            .is(401);
        let looked = front
            .browser()
            .ask("GET", &format!("/login/link?token={access}"), &[], "")
            .await;
        looked.is(410);
    }
    // Cookies are not looked at where a machine says who it is.
    let headers = [("authorization", "Bearer x")];
    ada.ask("GET", "/api/state", &headers, "").await.is(401);
}

/// At the level that shows most, of every crate.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_log() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.writer())
        .try_init()
        .unwrap();
    let front = Front::start().await;
    let mut secrets = vec![PASSWORD.to_owned(), "a wrong password of ours".to_owned()];
    let mut ada = front.signed_in(ADA).await;
    ada.sign_in(ADA, "a wrong password of ours").await.is(401);
    secrets.extend(ada.cookies.values().cloned());
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    ada.get("/api/state").await.is(200);
    secrets.extend(ada.cookies.values().cloned());
    let link = front.sign_in_link(ADA).await;
    ada.open(&format!("/login/link?token={link}")).await.is(200);
    ada.send("/login/link", &[("token", &link)]).await.is(303);
    secrets.extend([link]);
    secrets.extend(ada.cookies.values().cloned());
    front.link.cut();
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    ada.get("/api/state").await.is(503);
    front.link.mend();
    for seen in front.one.seen() {
        secrets.extend(seen.all("x-internal-auth").into_iter().map(str::to_owned));
    }
    ada.send("/logout", &[]).await.is(303);
    let log = log.text();
    assert!(log.contains("TRACE"), "the log is on");
    secrets.retain(|secret| secret != "over");
    for secret in secrets {
        // A token is known by its end: its head is the same in all of them.
        let tail = &secret[secret.len().saturating_sub(24)..];
        let line = log.lines().find(|line| line.contains(tail));
        assert!(line.is_none(), "{line:?}");
    }
}
