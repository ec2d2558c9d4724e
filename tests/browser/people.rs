//! People in browsers: sessions that go on and end in front of whoever watches, and the gateway's own pages.

use std::collections::BTreeSet;

use e2e::wait::until;
use serde_json::{Value, json};

use crate::dashboard::Dashboard;
use crate::mesh::{self, Running};
use crate::session::Options;

/// The value of a cookie of a browser's.
async fn cookie(dashboard: &Dashboard<'_>, name: &str) -> String {
    let all = dashboard.session.devtools("Network.getCookies", json!({}));
    let all = all.await;
    let all = all["cookies"].as_array().cloned().unwrap_or_default();
    let own = all.iter().find(|cookie| cookie["name"] == name);
    let own = own.and_then(|cookie| cookie["value"].as_str());
    own.unwrap_or_default().to_owned()
}

async fn ensure(running: &Running, client: &str) {
    let body = json!({ "clientId": client, "secret": "a-secret-of-sixteen", "targets": ["authority", "consumer", "leptos-actix"] });
    running
        .ask("POST", "leptos-axum", "/api/ensure", Some(body))
        .await;
}

async fn until_path(dashboard: &Dashboard<'_>, path: &str) {
    until(
        &format!("{} is at {path}", dashboard.context()),
        async || {
            let url = dashboard.session.url().await;
            match url.path() == path {
                true => Ok(()),
                false => Err(url),
            }
        },
    )
    .await;
}

/// Two tabs of one browser stay live while their access token ends twice, and it is one session all the time.
#[tokio::test]
async fn two_tabs_stay_signed_in_while_access_tokens_end() {
    let running = mesh::start_with(5).await;
    if running.door().is_none() {
        return;
    }
    let one = Dashboard::open(&running, "leptos-axum", Options::default()).await;
    one.goto("/").await;
    one.mark().await;
    let (mut seen, mut tokens) = (BTreeSet::new(), BTreeSet::new());
    seen.insert(cookie(&one, "access").await);
    tokens.insert(cookie(&one, "refreshToken").await);
    let first = one.session.tab().await;
    one.goto("/").await;
    one.mark().await;
    until("the session was renewed twice", async || {
        seen.insert(cookie(&one, "access").await);
        tokens.insert(cookie(&one, "refreshToken").await);
        match seen.len() > 2 && tokens.len() > 2 {
            true => Ok(()),
            false => Err(format!("{} access tokens", seen.len())),
        }
    })
    .await;
    ensure(&running, "seen-by-both").await;
    for tab in [None, Some(first)] {
        if let Some(tab) = tab {
            one.session.switch_to(tab).await;
        }
        one.until_everywhere("seen-by-both", None).await;
        assert!(one.is_marked().await, "the page changed by itself");
    }
    let sessions = running
        .ask("GET", "leptos-axum", "/api/v1/sessions", None)
        .await;
    // The one of this story's own requests, and the browser's.
    assert_eq!(
        sessions["sessions"].as_array().map(Vec::len),
        Some(2),
        "{sessions}"
    );
    one.close().await;
}

/// Ended from another browser, a dashboard goes to where people sign in, by itself.
#[tokio::test]
async fn a_session_that_is_ended_elsewhere_leaves_its_page() {
    let running = mesh::start().await;
    if running.door().is_none() {
        return;
    }
    let here = Dashboard::open(&running, "leptos-axum", Options::default()).await;
    let there = Dashboard::open(&running, "leptos-actix", Options::default()).await;
    there.goto("/").await;
    here.session
        .goto(&running.url("leptos-axum", "/account/sessions"))
        .await;
    here.session
        .click("form[action='/account/sessions/end'] button")
        .await;
    until_path(&there, "/login").await;
    here.goto("/").await;
    // Signed out here, the way back needs the password.
    here.session.click("form[action='/logout'] button").await;
    until_path(&here, "/login").await;
    here.session
        .goto(&running.url("leptos-axum", "/targets"))
        .await;
    until_path(&here, "/login").await;
    here.close_after_refusals().await;
    there.close_after_refusals().await;
}

/// One tab renews the session, which hangs, and another one signs out: that is how it stays.
#[tokio::test]
async fn signing_out_in_one_tab_while_another_renews_stays_so() {
    let running = mesh::start().await;
    let Some(door) = running.door() else { return };
    let tabs = Dashboard::open(&running, "leptos-axum", Options::default()).await;
    tabs.goto("/").await;
    let renewing = tabs.session.tab().await;
    tabs.goto("/").await;
    let over = json!({ "name": "access", "value": "over", "httpOnly": true,
        "url": running.url("leptos-axum", "/").as_str() });
    tabs.session.devtools("Network.setCookie", over).await;
    door.pause_accounts();
    let signing_out = tabs.session.switch_to_other(renewing).await;
    tabs.session
        .script("fetch('/api/state'); return null")
        .await;
    let renewing = tabs.session.switch_to_other(signing_out).await;
    tabs.session.click("form[action='/logout'] button").await;
    door.resume_accounts();
    tabs.session.switch_to(renewing).await;
    // What is open of the session ends, and its page leaves by itself.
    until_path(&tabs, "/login").await;
    assert_eq!(cookie(&tabs, "refreshToken").await, "");
    tabs.session.goto(&running.url("leptos-axum", "/")).await;
    until_path(&tabs, "/login").await;
    tabs.session.close().await;
}

/// The accounts service is killed and comes back: nobody is signed out by that.
#[tokio::test]
async fn the_accounts_service_may_be_killed_and_come_back() {
    let running = mesh::start_with(5).await;
    let Some(door) = running.door() else { return };
    let watched = Dashboard::open(&running, "leptos-actix", Options::default()).await;
    watched.goto("/").await;
    door.kill_accounts();
    let before = cookie(&watched, "refreshToken").await;
    // A page that is opened when the access token is over says so, and takes nothing away.
    until("the service is missed", async || {
        watched
            .session
            .goto(&running.url("leptos-actix", "/health"))
            .await;
        let html = watched.session.html().await;
        match html.contains("AUTH_UNAVAILABLE") {
            true => Ok(()),
            false => Err("the page is shown"),
        }
    })
    .await;
    assert_eq!(cookie(&watched, "refreshToken").await, before);
    door.start_accounts().await;
    watched.goto("/").await;
    assert_ne!(cookie(&watched, "refreshToken").await, before);
    watched.session.close().await;
}

const PAGES: [&str; 4] = [
    "/account/sessions",
    "/account/people",
    "/account/audit",
    "/account/people?page=9",
];

/// The gateway's pages: named, readable, no wider than the window, in light and dark, without a script too.
#[tokio::test]
async fn the_gateways_pages_are_readable_in_every_window() {
    let running = mesh::start().await;
    if running.door().is_none() {
        return;
    }
    let mut flaws = Vec::new();
    for (javascript, dark, width) in [
        (true, false, 1_280),
        (false, true, 1_280),
        (true, true, 360),
        (false, false, 360),
    ] {
        let options = Options {
            javascript,
            dark,
            width,
        };
        let dashboard = Dashboard::open(&running, "leptos-axum", options).await;
        for page in PAGES {
            dashboard
                .session
                .goto(&running.url("leptos-axum", page))
                .await;
            let found = dashboard.session.flaws().await;
            flaws.extend(
                found
                    .iter()
                    .map(|flaw| format!("{page} {options:?}: {flaw}")),
            );
        }
        dashboard
            .session
            .click("form[action='/logout'] button")
            .await;
        until_path(&dashboard, "/login").await;
        let found = dashboard.session.flaws().await;
        flaws.extend(
            found
                .iter()
                .map(|flaw| format!("/login {options:?}: {flaw}")),
        );
        dashboard.session.close().await;
    }
    assert!(flaws.is_empty(), "{flaws:#?}");
}

/// An admin lets a viewer in, who sees no forms: all by plain forms, without a script.
#[tokio::test]
async fn a_viewer_is_let_in_and_sees_no_forms() {
    let running = mesh::start().await;
    if running.door().is_none() {
        return;
    }
    let plain = Options {
        javascript: false,
        ..Options::default()
    };
    let admin = Dashboard::open(&running, "leptos-axum", plain).await;
    admin
        .session
        .goto(&running.url("leptos-axum", "/account/people"))
        .await;
    admin
        .session
        .fill(
            "form[action='/account/people'] input[name=email]",
            "vic@example.org",
        )
        .await;
    admin
        .session
        .fill("form[action='/account/people'] input[name=name]", "Vic")
        .await;
    admin
        .session
        .click("form[action='/account/people'] input[value=viewer]")
        .await;
    admin
        .session
        .click("form[action='/account/people'] button")
        .await;
    let link = admin.session.find("#link").await;
    let link = link.text().await.expect("the link");
    admin.close().await;

    let session = crate::session::Session::open(plain).await;
    let url = url::Url::parse(&link).expect("a URL");
    let own = running.url("leptos-actix", &url[url::Position::BeforePath..]);
    session.goto(&own).await;
    session
        .fill("input[name=password]", "a password of Vic's own")
        .await;
    session
        .fill("input[name=again]", "a password of Vic's own")
        .await;
    session.click("form[action='/login/link'] button").await;
    until("the matrix", async || {
        let html = session.html().await;
        match html.contains("vic@example.org") && html.contains("Matrix") {
            true => Ok(()),
            false => Err(html),
        }
    })
    .await;
    let forms = session.script("return [...document.querySelectorAll('form[method=post]')].map(it => it.getAttribute('action'))").await;
    assert_eq!(forms, Value::from(vec!["/logout"]));
    session.close().await;
}
