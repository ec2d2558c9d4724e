//! What to look at, and what to try.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use services::output::{OutputGone, say};
use tokio::time::sleep;

use crate::clients::BILLING;
use crate::front_door::{ADMIN, FrontDoor};
use crate::options::Error;
use crate::peers::{Peers, mode};
use crate::tokens::{ISSUER, Tokens};

/// What is tried comes about within this time.
const WITHIN: Duration = Duration::from_secs(30);

/// One request of the tour.
struct Step {
    what: &'static str,
    path: &'static str,
    body: Option<Value>,
}

/// A signed call, a rotation that reaches every peer, and how far it got.
fn steps() -> [Step; 3] {
    let (client, secret) = BILLING;
    [
        Step {
            what: "a signed call to the consumer",
            path: "/admin/call-target",
            body: Some(json!({ "target": "consumer", "clientId": client, "secret": secret })),
        },
        Step {
            what: "a rotation that reaches every peer",
            path: "/admin/rotate",
            body: Some(json!({ "clientId": client, "secret": "demo-secret-of-billing-0009" })),
        },
        Step {
            what: "how far it got",
            path: "/admin/state",
            body: None,
        },
    ]
}

/// Prints where everything is and what to try.
pub(crate) fn explain(peers: &Peers, front_door: Option<&FrontDoor>) -> Result<(), OutputGone> {
    let mut authority = String::new();
    if let Some(front_door) = front_door {
        explain_sign_in(front_door)?;
        say("\nThe peers' own ports take tokens only:\n")?;
    }
    for (place, url) in peers.urls() {
        let url = url.as_str().trim_end_matches('/');
        let dashboard = if place.name.starts_with("leptos-") && front_door.is_none() {
            ", dashboard"
        } else {
            ""
        };
        say(format_args!(
            "  {:<13} {url:<24} {}{dashboard}",
            place.name,
            mode(&place)
        ))?;
        if place.name == "authority" {
            authority = url.to_owned();
        }
    }
    for (name, url) in peers.consoles() {
        say(format_args!("  {name:<13} {url} (guest, guest)"))?;
    }
    let mut bearer = "";
    match peers.tokens() {
        None => say("\nOpen a dashboard and ensure a client; or try:\n")?,
        Some(tokens) => {
            bearer = " -H \"authorization: Bearer $TOKEN\"";
            explain_tokens(tokens)?;
        }
    }
    for step in steps() {
        let (what, path) = (step.what, step.path);
        let body = step.body.map_or_else(String::new, |body| {
            format!(" -H 'content-type: application/json' -d '{body}'")
        });
        say(format_args!(
            "  # {what}\n  curl -sS {authority}{path}{bearer}{body}"
        ))?;
    }
    Ok(())
}

/// Says how to sign in, and what is behind it. The link and the password are of this run alone.
fn explain_sign_in(front_door: &FrontDoor) -> Result<(), OutputGone> {
    say(format_args!(
        "Open this address in a browser. It signs you in, once, within 15 minutes:\n\n  {}\n",
        front_door.link()
    ))?;
    say(format_args!(
        "Later you sign in as {ADMIN} with the password {}\n",
        front_door.password().expose()
    ))?;
    for (name, url) in front_door.dashboards() {
        let url = url.as_str().trim_end_matches('/');
        say(format_args!("  {:<13} {url:<24} of {name}", "dashboard"))?;
    }
    Ok(())
}

/// Says how to get a token.
fn explain_tokens(tokens: &Tokens) -> Result<(), OutputGone> {
    let gateway = std::env::current_exe().map(|mesh| mesh.with_file_name("gateway"));
    let gateway = gateway.map_or_else(|_| "gateway".to_owned(), |path| path.display().to_string());
    let folder = tokens.folder().display();
    say(
        "\nA token for one peer, for 15 minutes (roles: viewer, operator, admin), and what to try with it:\n",
    )?;
    say(format_args!(
        "  TOKEN=$({gateway} token --dir {folder} --issuer {ISSUER} --role operator --audience authority)\n"
    ))
}

/// Takes the tour, then stops the consumer, changes a secret, and sees the consumer catch up.
pub(crate) async fn take(peers: &Peers) -> Result<(), Error> {
    until_accepted(peers).await?;
    for step in steps() {
        let method = if step.body.is_some() { "POST" } else { "GET" };
        let (status, answer) = peers
            .request(
                method,
                "authority",
                step.path,
                step.body.map(|body| body.to_string()),
            )
            .await?;
        say(format_args!("\n{}: {status} {answer}", step.what))?;
        if status >= 300 {
            return Err(format!("{}: {status}", step.path).into());
        }
    }
    peers.stop("consumer").await?;
    let rotation = json!({ "clientId": BILLING.0, "secret": "demo-secret-of-billing-0010" });
    let (status, answer) = peers
        .request(
            "POST",
            "authority",
            "/admin/rotate",
            Some(rotation.to_string()),
        )
        .await?;
    if status != 201 {
        return Err(format!("the rotation was refused: {status} {answer}").into());
    }
    peers.start("consumer").await?;
    let start = Instant::now();
    until_accepted(peers).await?;
    Ok(say(format_args!(
        "\nthe consumer caught up {:.2} s after its start",
        start.elapsed().as_secs_f64()
    ))?)
}

/// Signs as the client, with the newest secret the authority knows, until the consumer accepts it.
async fn until_accepted(peers: &Peers) -> Result<(), Error> {
    let start = Instant::now();
    let call = json!({ "target": "consumer", "clientId": BILLING.0 }).to_string();
    loop {
        let (_, answer) = peers
            .request(
                "POST",
                "authority",
                "/admin/call-target",
                Some(call.clone()),
            )
            .await?;
        if answer.contains(r#""status":200"#) {
            return Ok(());
        }
        if start.elapsed() > WITHIN {
            return Err(format!("the consumer does not accept the newest secret: {answer}").into());
        }
        sleep(Duration::from_millis(50)).await;
    }
}
