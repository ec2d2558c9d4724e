//! What an answer must be.

use std::net::SocketAddr;

use crate::http_layer::raw::{RawRequest, RawResponse, send};

/// How a case ends: what was wrong is told as text.
pub(super) type Outcome = Result<(), String>;

/// Sends `request` and expects the refusal in the documented shape.
pub(super) async fn refuses(
    address: SocketAddr,
    request: &RawRequest,
    code: &str,
    status: u16,
) -> Outcome {
    let answer = send(address, request)
        .await
        .map_err(|error| error.to_string())?;
    is_refusal(&answer, request.method == "HEAD", code, status)
}

pub(super) fn is_refusal(answer: &RawResponse, to_head: bool, code: &str, status: u16) -> Outcome {
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
    let challenged = !answer.value("www-authenticate").is_empty();
    if challenged != (status == 401) {
        return Err("a challenge belongs to 401, and to nothing else".to_owned());
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
pub(super) async fn accepts(
    address: SocketAddr,
    request: &RawRequest,
) -> Result<RawResponse, String> {
    let answer = send(address, request)
        .await
        .map_err(|error| error.to_string())?;
    is_echo(request, answer)
}

pub(super) fn is_echo(request: &RawRequest, answer: RawResponse) -> Result<RawResponse, String> {
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
