//! Ensure, rotate, revoke, call: from both dashboards, with JavaScript and without.

use crate::dashboard::{Dashboard, WAYS};
use crate::mesh::{self, WITH_PAGES};

const FIRST: &str = "the-first-secret-of-this-story";
const SECOND: &str = "the-second-secret-of-this-story";

#[tokio::test]
async fn a_client_is_driven_through_the_mesh_from_either_dashboard() {
    let running = mesh::start().await;
    for peer in WITH_PAGES {
        for options in WAYS {
            let dashboard = Dashboard::open(&running, peer, options).await;
            drive(
                &dashboard,
                &format!("{peer}-{}", options.javascript),
                options.javascript,
            )
            .await;
            dashboard.close().await;
        }
    }
}

async fn drive(dashboard: &Dashboard<'_>, client: &str, live: bool) {
    let context = dashboard.context();
    dashboard.goto("/").await;
    dashboard.mark().await;
    dashboard.fill("ensure", "clientId", client).await;
    dashboard.fill("ensure", "secret", FIRST).await;
    dashboard
        .send("ensure", &format!("Client {client} is created."))
        .await;
    let first = dashboard.until_everywhere(client, None).await;
    assert_eq!(
        dashboard.is_marked().await,
        live,
        "{context}: the page must change by itself, or be a new one"
    );

    if !live {
        dashboard.goto("/").await;
    }
    dashboard.tab("callTarget").await;
    call(dashboard, client, FIRST, "200 accepted").await;

    dashboard.goto("/").await;
    dashboard.mark().await;
    dashboard.tab("rotate").await;
    dashboard.fill("rotate", "clientId", client).await;
    dashboard.fill("rotate", "secret", SECOND).await;
    dashboard
        .send("rotate", &format!("Client {client} has a new secret."))
        .await;
    dashboard.until_everywhere(client, Some(&first)).await;

    dashboard.tab("callTarget").await;
    call(dashboard, client, SECOND, "200 accepted").await;

    dashboard.goto("/").await;
    dashboard.mark().await;
    dashboard.tab("revoke").await;
    dashboard.fill("revoke", "clientId", client).await;
    dashboard
        .send("revoke", &format!("Client {client} is revoked."))
        .await;
    dashboard
        .until_row("nobody holds the revoked client", client, |row| {
            row.is_none_or(|row| row.iter().all(|cell| cell.hash.is_empty()))
                .then_some(())
        })
        .await;
    assert_eq!(dashboard.is_marked().await, live, "{context}");

    dashboard.tab("callTarget").await;
    call(dashboard, client, SECOND, "401 refused").await;
}

/// Calls a peer by the form that is open, and reads what was sent and what came back.
async fn call(dashboard: &Dashboard<'_>, client: &str, secret: &str, status: &str) {
    let context = dashboard.context();
    dashboard.fill("callTarget", "clientId", client).await;
    dashboard
        .session
        .click("#callTarget-target option[value=consumer]")
        .await;
    dashboard.fill("callTarget", "secret", secret).await;
    let code = status.split(' ').next().unwrap_or_default();
    dashboard
        .send("callTarget", &format!("The peer answered {code}."))
        .await;
    let shown = dashboard
        .text("#callTarget .answer .status")
        .await
        .unwrap_or_default();
    assert_eq!(shown, status, "{context}");
    let headers = dashboard
        .text("#callTarget .answer .headers")
        .await
        .unwrap_or_default();
    assert!(headers.contains(client), "{context}: {headers}");
    let signature = dashboard
        .text("#callTarget .answer .headers dt:last-of-type + dd")
        .await
        .unwrap_or_default();
    assert!(
        signature.chars().count() < 16,
        "{context}: the signature must be shortened: {signature}"
    );
    let html = dashboard.session.html().await;
    assert!(
        !html.contains(secret),
        "{context}: the secret is in the page"
    );
}
