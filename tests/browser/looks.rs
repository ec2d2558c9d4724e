//! Every page, in every window: named, readable, reachable, no wider than it may be, and nothing to complain of.

use serde_json::json;

use crate::dashboard::Dashboard;
use crate::mesh::{self, Running, WITH_PAGES};
use crate::session::Options;

const PAGES: [&str; 5] = [
    "/",
    "/clients/http/billing",
    "/targets",
    "/health",
    "/no/such/page",
];

const WINDOWS: [Options; 6] = [
    Options {
        javascript: true,
        dark: false,
        width: 1_280,
    },
    Options {
        javascript: true,
        dark: true,
        width: 1_280,
    },
    Options {
        javascript: true,
        dark: false,
        width: 360,
    },
    Options {
        javascript: true,
        dark: true,
        width: 360,
    },
    Options {
        javascript: false,
        dark: false,
        width: 1_280,
    },
    Options {
        javascript: false,
        dark: true,
        width: 360,
    },
];

#[tokio::test]
async fn every_page_is_readable_in_every_window() {
    let running = mesh::start().await;
    fill(&running).await;
    let mut flaws = Vec::new();
    for peer in WITH_PAGES {
        for options in WINDOWS {
            let dashboard = Dashboard::open(&running, peer, options).await;
            for page in PAGES {
                dashboard.goto(page).await;
                // The address of a page that is not there is answered 404, which the browser writes down.
                let missing = |flaw: &String| page == PAGES[4] && flaw.contains("status of 404");
                let found = dashboard
                    .session
                    .flaws()
                    .await
                    .into_iter()
                    .filter(|flaw| !missing(flaw));
                flaws.extend(found.map(|flaw| format!("{peer} {page} {options:?}: {flaw}")));
            }
            dashboard.session.close().await;
        }
    }
    assert!(flaws.is_empty(), "{flaws:#?}");
}

#[tokio::test]
async fn every_page_is_reached_by_keyboard() {
    let running = mesh::start().await;
    fill(&running).await;
    for peer in WITH_PAGES {
        let dashboard = Dashboard::open(&running, peer, Options::default()).await;
        for page in PAGES {
            dashboard.goto(page).await;
            let flaws = dashboard.session.unreachable().await;
            assert!(flaws.is_empty(), "{peer} {page}: {flaws:#?}");
        }
        dashboard.session.close().await;
    }
}

/// Clients in several states, one with a long name.
async fn fill(running: &Running) {
    let long = format!("a-client-with-a-name-that-{}-ends", "never-".repeat(8));
    for (client, targets) in [
        ("billing", vec!["authority", "consumer"]),
        (long.as_str(), vec!["consumer"]),
        ("local", vec![]),
    ] {
        let body =
            json!({ "clientId": client, "secret": "a-secret-of-sixteen", "targets": targets });
        for peer in WITH_PAGES {
            running
                .ask("POST", peer, "/api/ensure", Some(body.clone()))
                .await;
        }
    }
}
