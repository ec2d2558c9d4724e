//! Looks into a refusal without taking it away from the application.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Method;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use reqwest::{Body, Response, ResponseBuilderExt};
use serde::Deserialize;

/// How much of a refusal's body is read.
pub(crate) const REFUSAL_LIMIT: usize = 64 * 1024;

/// The code that a signature made with another secret is refused with (wire contract 1.3).
const BAD_SIGNATURE: &str = "BAD_SIGNATURE";

/// The body of a refusal (wire contract 1.3).
#[derive(Default, Deserialize)]
pub(crate) struct RefusalBody {
    pub(crate) error: Option<String>,
    pub(crate) message: Option<String>,
}

/// Tells whether a 401 says that the signature does not fit, and gives the answer back whole. To a HEAD no answer has
/// a body that could say so: every 401 may.
pub(crate) async fn is_of_signature(
    method: &Method,
    answer: Response,
) -> Result<(bool, Response), reqwest::Error> {
    if method == Method::HEAD {
        return Ok((true, answer));
    }
    let url = answer.url().clone();
    let (mut head, mut body) = http::Response::<Body>::from(answer).into_parts();
    let mut read = Vec::new();
    let mut text = Vec::new();
    while text.len() <= REFUSAL_LIMIT {
        let Some(frame) = body.frame().await else {
            break;
        };
        let frame = frame?;
        text.extend_from_slice(frame.data_ref().map_or(&[], |data: &Bytes| data));
        read.push(Ok(frame));
    }
    let code = serde_json::from_slice::<RefusalBody>(&text)
        .unwrap_or_default()
        .error;
    let whole = StreamBody::new(stream::iter(read).chain(BodyStream::new(body)));
    // The URL that was answered is an extension of a kind that reqwest keeps to itself.
    if let Some(extensions) = http::Response::builder().url(url).extensions_mut() {
        head.extensions.extend(std::mem::take(extensions));
    }
    let answer = Response::from(http::Response::from_parts(head, Body::wrap(whole)));
    Ok((code.as_deref() == Some(BAD_SIGNATURE), answer))
}
