//! The targets of a peer, kept by hand.

use e2e::wait::until;
use serde_json::json;

use crate::dashboard::{Dashboard, WAYS};
use crate::mesh::{self, WITH_PAGES};

const SECRET: &str = "the-propagation-secret-of-a-new-peer";

#[tokio::test]
async fn targets_are_added_changed_and_deleted_and_the_own_row_is_locked() {
    let running = mesh::start().await;
    for peer in WITH_PAGES {
        for options in WAYS {
            let dashboard = Dashboard::open(&running, peer, options).await;
            keep(
                &dashboard,
                peer,
                &format!("new-peer-{}", options.javascript),
            )
            .await;
            dashboard.close().await;
        }
    }
    assert!(!running.logs().contains(SECRET));
}

async fn keep(dashboard: &Dashboard<'_>, peer: &str, name: &str) {
    dashboard.goto("/targets").await;
    let locked = place(dashboard, peer).await.expect("the own row");
    let own = dashboard
        .text(&format!(
            ".inventory > li:nth-child({}) .locked",
            locked + 1
        ))
        .await;
    assert!(
        own.is_some_and(|words| words.contains("PROPAGATION_SECRET")),
        "{}",
        dashboard.context()
    );
    let forms = format!(
        "return document.querySelectorAll('.inventory > li:nth-child({}) form').length",
        locked + 1
    );
    assert_eq!(
        dashboard.session.script(&forms).await,
        0,
        "{}: the own row has no form",
        dashboard.context()
    );

    dashboard.fill("putTarget", "targetAmqpQueue", name).await;
    dashboard
        .fill("putTarget", "propagationSecret", SECRET)
        .await;
    dashboard.fill("putTarget", "note", "in the cellar").await;
    dashboard
        .send("putTarget", &format!("Target {name} is added."))
        .await;
    let at = there(dashboard, name).await;
    assert!(remark(dashboard, at).await.contains("in the cellar"));

    open(dashboard, at, 1).await;
    dashboard
        .fill(&format!("edit-{at}"), "propagationSecret", SECRET)
        .await;
    dashboard
        .fill(&format!("edit-{at}"), "note", "in the attic")
        .await;
    dashboard
        .send(&format!("edit-{at}"), &format!("Target {name} is changed."))
        .await;
    until("the new note", async || match remark(dashboard, at).await {
        note if note.contains("in the attic") => Ok(()),
        note => Err(note),
    })
    .await;

    dashboard
        .send(&format!("resync-{at}"), "0 of 0 waiting changes were sent.")
        .await;

    open(dashboard, at, 2).await;
    dashboard
        .send(
            &format!("delete-{at}"),
            &format!("Target {name} is deleted."),
        )
        .await;
    until("the target is gone", async || {
        match place(dashboard, name).await {
            None => Ok(()),
            Some(at) => Err(at),
        }
    })
    .await;
    assert!(
        !dashboard.session.html().await.contains(SECRET),
        "{}",
        dashboard.context()
    );
}

/// Where a target stands in the list.
async fn place(dashboard: &Dashboard<'_>, name: &str) -> Option<u64> {
    let script = format!(
        "return [...document.querySelectorAll('.inventory h2 bdi')].findIndex((one) => one.textContent === {})",
        json!(name)
    );
    dashboard.session.script(&script).await.as_u64()
}

async fn there(dashboard: &Dashboard<'_>, name: &str) -> u64 {
    until("the target in the list", async || {
        place(dashboard, name).await.ok_or("not there")
    })
    .await
}

async fn remark(dashboard: &Dashboard<'_>, at: u64) -> String {
    dashboard
        .text(&format!(".inventory > li:nth-child({}) .remark", at + 1))
        .await
        .unwrap_or_default()
}

/// Opens what can be opened of a row: 1 to change it, 2 to delete it.
async fn open(dashboard: &Dashboard<'_>, at: u64, which: u32) {
    let css = format!(
        ".inventory > li:nth-child({}) details:nth-of-type({which}) summary",
        at + 1
    );
    dashboard.session.click(&css).await;
}
