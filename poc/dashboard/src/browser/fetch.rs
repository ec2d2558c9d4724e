//! Requests to the peer, each within a bound.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, Response};

/// A request that takes longer has failed, in milliseconds.
const LIMIT: u32 = 15_000;

/// What the peer answered.
pub(super) struct Answer {
    /// Whether it did what was asked.
    pub(super) ok: bool,
    /// The HTTP status.
    pub(super) status: u16,
    /// The body.
    pub(super) body: String,
}

/// Reads.
pub(super) async fn get(address: &str) -> Option<Answer> {
    send(address, &RequestInit::new()).await.ok()
}

/// Reads a JSON value; `None` for any other answer than a good one.
pub(super) async fn read<T: serde::de::DeserializeOwned>(address: &str) -> Option<T> {
    let answer = get(address).await.filter(|answer| answer.ok)?;
    serde_json::from_str(&answer.body).ok()
}

/// Posts. The body is the browser's object: what is in it never enters the memory of this program.
pub(super) async fn post(address: &str, body: &JsValue) -> Option<Answer> {
    let request = RequestInit::new();
    request.set_method("POST");
    request.set_body(body);
    send(address, &request).await.ok()
}

async fn send(address: &str, request: &RequestInit) -> Result<Answer, JsValue> {
    let headers = Headers::new()?;
    headers.set("accept", "application/json")?;
    request.set_headers(&headers);
    request.set_signal(Some(&AbortSignal::timeout_with_u32(LIMIT)));
    let response = JsFuture::from(window().fetch_with_str_and_init(address, request)).await?;
    let response: Response = response.dyn_into()?;
    let body = JsFuture::from(response.text()?)
        .await?
        .as_string()
        .unwrap_or_default();
    Ok(Answer {
        ok: response.ok(),
        status: response.status(),
        body,
    })
}
