//! The table: what is refused with which code, and the stories that take more than one request.

mod refusals;
mod stories;

use std::net::SocketAddr;

use futures_util::future::LocalBoxFuture;

use crate::http_layer::raw::{RawRequest, RawResponse, send};
use crate::http_layer::world::World;

/// How a case ends: what was wrong is told as text.
type Outcome = Result<(), String>;

/// One story.
type Story = for<'a> fn(&'a World) -> LocalBoxFuture<'a, Outcome>;

/// The names of all cases.
pub(super) fn names() -> Vec<&'static str> {
    let refusals = refusals::TABLE.iter().map(|(name, _)| *name);
    refusals
        .chain(stories::TABLE.iter().map(|(name, _)| *name))
        .collect()
}

/// Runs the case of this name; returns a line for each request that failed.
pub(super) async fn run(world: &World, name: &str) -> Vec<String> {
    let mut failures = Vec::new();
    for (_, rows) in refusals::TABLE.iter().filter(|(own, _)| *own == name) {
        for (row, request, code, status) in rows(world) {
            if let Err(text) = refuses(world.direct, &request, code, status).await {
                failures.push(format!("{row}: {text}"));
            }
        }
    }
    for (_, story) in stories::TABLE.iter().filter(|(own, _)| *own == name) {
        failures.extend(story(world).await.err());
    }
    failures
}

/// Sends `request` and expects the refusal in the documented shape.
async fn refuses(address: SocketAddr, request: &RawRequest, code: &str, status: u16) -> Outcome {
    let answer = send(address, request)
        .await
        .map_err(|error| error.to_string())?;
    is_refusal(&answer, request.method == "HEAD", code, status)
}

fn is_refusal(answer: &RawResponse, to_head: bool, code: &str, status: u16) -> Outcome {
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status != status {
        return Err(format!(
            "status {} instead of {status}: {text}",
            answer.status
        ));
    }
    if !answer.value("x-verified-client").is_empty() {
        return Err("the handler was reached".to_owned());
    }
    if to_head {
        return Ok(());
    }
    if !answer.value("content-type").starts_with("application/json") {
        return Err(format!("content type {:?}", answer.value("content-type")));
    }
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let message = json["message"].as_str().unwrap_or_default();
    let shape = json.as_object().is_some_and(|object| object.len() == 2);
    if json["error"] != code || message.is_empty() || !shape {
        return Err(format!("body {text} instead of one of {code}"));
    }
    Ok(())
}

/// Sends `request` and expects the handler's answer, its body restored.
async fn accepts(address: SocketAddr, request: &RawRequest) -> Result<RawResponse, String> {
    let answer = send(address, request)
        .await
        .map_err(|error| error.to_string())?;
    is_echo(request, answer)
}

fn is_echo(request: &RawRequest, answer: RawResponse) -> Result<RawResponse, String> {
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status != 200 {
        return Err(format!("status {} instead of 200: {text}", answer.status));
    }
    if request.method != "HEAD" && answer.body != request.body {
        return Err(format!("the handler read {text:?}"));
    }
    let client = answer.value("x-verified-client");
    if client != request.value("x-client-id") {
        return Err(format!("the extractor gave client {client:?}"));
    }
    Ok(answer)
}
