//! The dashboard as a browser has it: what comes over the wire, the first paint, and what acting on 10,000 clients takes.

use std::time::{Duration, Instant};

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use services::browser::{Browser, browser};
use tokio::time::timeout;
use url::Url;

use crate::arguments::Arguments;
use crate::error::Error;
use crate::peers::{Peer, Peers};
use crate::table::{Table, median};

/// One command to the browser takes no longer.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// The mesh holds all clients within this time.
const CONVERGED_WITHIN: Duration = Duration::from_secs(300);

/// Where it says `act();` it acts on the page; answers the milliseconds to the frame that shows another first row.
const ACT: &str = include_str!("dashboard/act.js");

/// Answers the first contentful paint in milliseconds, and the bytes of all that was loaded.
const PAINT: &str = include_str!("dashboard/paint.js");

/// What a person does, and the script that does it.
const INTERACTIONS: &[(&str, &str)] = &[
    (
        "next page",
        "[...document.querySelectorAll('.pager a')].at(-1).click()",
    ),
    (
        "a letter in the filter",
        "const filter = document.querySelector('#filter'); filter.value = '9'; filter.dispatchEvent(new Event('input', { bubbles: true }))",
    ),
    (
        "order by last change",
        "document.querySelector('.segments a[href*=changed]').click()",
    ),
];

/// Measures the pages of a peer with `arguments.shown` clients on four peers.
pub(crate) async fn measure(arguments: &Arguments, table: &mut Table) -> Result<(), Error> {
    let peers = Peers::start().await?;
    let peer = peers.peer("leptos-axum")?;
    load(peer, arguments.shown).await?;
    let driver = browser().await?;
    let page = peer.url("/")?;
    let (mut paints, mut bytes) = (Vec::new(), 0.0);
    for _ in 0..arguments.runs {
        let browser = open(&driver).await?;
        goto(&browser, &page).await?;
        let measured = script(&browser, PAINT).await?;
        paints.push(measured[0].as_f64().ok_or("no paint")?);
        bytes = measured[1].as_f64().unwrap_or_default();
        bounded(browser.close()).await?;
    }
    let none = || "-".to_owned();
    let clients = arguments.shown;
    let kib = format!("{:.0} KiB", bytes / 1024.0);
    table.add(
        "dashboard: page, style, script and wasm over the wire",
        kib,
        none(),
        none(),
    );
    table.add(
        &format!("dashboard: first contentful paint, nothing cached, {clients} clients"),
        format!("{:.0} ms", median(paints)),
        none(),
        none(),
    );
    for (what, act) in INTERACTIONS {
        let mut times = Vec::new();
        for _ in 0..arguments.runs {
            let browser = open(&driver).await?;
            goto(&browser, &page).await?;
            // Composed here: the page forbids its scripts to make code out of text.
            let act = ACT.replace("act();", &format!("{act};"));
            times.push(script(&browser, &act).await?.as_f64().ok_or("no time")?);
            bounded(browser.close()).await?;
        }
        let time = format!("{:.0} ms", median(times));
        table.add(
            &format!("dashboard: {what}, {clients} clients"),
            time,
            none(),
            none(),
        );
    }
    Ok(())
}

/// Ensures clients on every peer, and waits until all of them hold all.
async fn load(peer: &Peer, clients: usize) -> Result<(), Error> {
    for index in 0..clients {
        let targets = ["authority", "consumer", "leptos-actix"];
        let body = json!({ "clientId": format!("client-{index:05}"), "secret": "a-secret-of-sixteen", "targets": targets });
        peer.request("POST", "/api/ensure", Some(body.to_string()))
            .await?;
    }
    let begun = Instant::now();
    loop {
        let mesh: Value =
            serde_json::from_str(&peer.request("GET", "/api/mesh?limit=1", None).await?)?;
        if mesh["summary"]["inSync"] == clients {
            return Ok(());
        }
        if begun.elapsed() > CONVERGED_WITHIN {
            return Err(format!("the mesh does not converge: {}", mesh["summary"]).into());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn open(driver: &Browser) -> Result<Client, Error> {
    let mut chrome = json!({ "args": driver.arguments() });
    if let Some(program) = driver.program() {
        chrome["binary"] = json!(program);
    }
    let capabilities = json!({ "browserName": "chrome", "goog:chromeOptions": chrome });
    let capabilities: Capabilities = serde_json::from_value(capabilities)?;
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    bounded(builder.connect(driver.url())).await
}

async fn goto(browser: &Client, page: &Url) -> Result<(), Error> {
    bounded(browser.goto(page.as_str())).await
}

async fn script(browser: &Client, script: &str) -> Result<Value, Error> {
    bounded(browser.execute_async(script, Vec::new())).await
}

async fn bounded<T, E: Into<Error>>(
    command: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    timeout(COMMAND_LIMIT, command)
        .await
        .map_err(|_| "the browser does not answer")?
        .map_err(Into::into)
}
