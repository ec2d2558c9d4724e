//! A secret is typed or made, sent once, and then nowhere: not in the page, not in the program's memory, not in an address.

use e2e::wait::until;
use serde_json::{Value, json};

use crate::dashboard::{Dashboard, WAYS};
use crate::mesh::{self, WITH_PAGES};

const TYPED: &str = "typed-by-a-person-0123456789";
const ROTATED: &str = "rotated-by-a-person-0123456789";

/// Keeps the memory of every WebAssembly program that the page starts.
const KEEP_MEMORY: &str = include_str!("secrets/keep_memory.js");

/// Answers where a text is: `wasm`, `html`, `addresses`, `storage`.
const WHERE: &str = include_str!("secrets/where.js");

#[tokio::test]
async fn no_secret_stays_in_the_browser_or_reaches_a_log() {
    let running = mesh::start().await;
    let mut made = Vec::new();
    for peer in WITH_PAGES {
        for options in WAYS {
            let dashboard = Dashboard::open(&running, peer, options).await;
            let keep = json!({ "source": KEEP_MEMORY });
            dashboard
                .session
                .devtools("Page.addScriptToEvaluateOnNewDocument", keep)
                .await;
            let client = format!("{peer}-{}", options.javascript);
            type_secrets(&dashboard, &client, options.javascript).await;
            if options.javascript {
                made.push(generate(&dashboard, &client).await);
            }
            dashboard.close().await;
        }
    }
    let logs = running.logs();
    for secret in made.iter().map(String::as_str).chain([TYPED, ROTATED]) {
        assert!(!logs.contains(secret), "a log holds a secret");
    }
}

async fn type_secrets(dashboard: &Dashboard<'_>, client: &str, live: bool) {
    dashboard.goto("/").await;
    dashboard.fill("ensure", "clientId", client).await;
    dashboard.fill("ensure", "secret", TYPED).await;
    dashboard
        .send("ensure", &format!("Client {client} is created."))
        .await;
    nowhere(dashboard, TYPED).await;
    assert_eq!(dashboard.value("#ensure-secret").await, "");

    dashboard.tab("rotate").await;
    dashboard.fill("rotate", "clientId", client).await;
    dashboard.fill("rotate", "secret", ROTATED).await;
    dashboard
        .send("rotate", &format!("Client {client} has a new secret."))
        .await;
    nowhere(dashboard, ROTATED).await;

    dashboard.tab("callTarget").await;
    dashboard.fill("callTarget", "clientId", client).await;
    dashboard
        .session
        .click(&format!(
            "#callTarget-target option[value={}]",
            dashboard.peer()
        ))
        .await;
    dashboard.fill("callTarget", "secret", ROTATED).await;
    dashboard.send("callTarget", "The peer answered 200.").await;
    nowhere(dashboard, ROTATED).await;
    if live {
        // The search finds what is there: the client's id is no secret.
        until("the client's id in memory", async || {
            match found(dashboard, client).await {
                places if places.contains(&"wasm".to_owned()) => Ok(()),
                places => Err(format!("{places:?}")),
            }
        })
        .await;
    }
}

/// Lets the browser make a secret, and returns it.
async fn generate(dashboard: &Dashboard<'_>, client: &str) -> String {
    let client = format!("{client}-made");
    dashboard.goto("/").await;
    dashboard.fill("ensure", "clientId", &client).await;
    dashboard.session.click("#ensure .secret button").await;
    let shown = "return document.querySelector('#ensure-secret').type";
    until("the secret is shown", async || {
        match dashboard.session.script(shown).await {
            shown if shown == "text" => Ok(()),
            shown => Err(shown),
        }
    })
    .await;
    let made = dashboard.value("#ensure-secret").await;
    assert!(
        made.len() >= 32,
        "a made secret of {} characters",
        made.len()
    );
    dashboard
        .send("ensure", &format!("Client {client} is created."))
        .await;
    nowhere(dashboard, &made).await;
    assert_eq!(
        dashboard.value("#ensure-secret").await,
        "",
        "it was shown once"
    );
    assert_eq!(dashboard.session.script(shown).await, "password");
    made
}

async fn nowhere(dashboard: &Dashboard<'_>, secret: &str) {
    let places = found(dashboard, secret).await;
    assert!(
        places.is_empty(),
        "{}: a secret is in {places:?}",
        dashboard.context()
    );
    let cookies = dashboard
        .session
        .devtools("Network.getCookies", json!({}))
        .await
        .to_string();
    assert!(
        !cookies.contains(secret),
        "{}: a secret is in a cookie",
        dashboard.context()
    );
}

async fn found(dashboard: &Dashboard<'_>, text: &str) -> Vec<String> {
    let script = format!("const text = {};\n{WHERE}", json!(text));
    let places = dashboard.session.script(&script).await;
    let places = places.as_array().cloned().unwrap_or_default();
    places
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
