//! Reads a body up to the limit.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use kit::problem::{BODY_LIMIT, Problem};
use tokio::time::timeout;

/// A body comes within this time.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// A body that is too long is read on to this many bytes, so that its sender reads the answer instead of a reset.
const DRAIN_LIMIT: usize = 1024 * 1024;

/// Reads a body of at most [`BODY_LIMIT`] bytes.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let declared: Option<usize> = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse().ok());
    if declared.is_some_and(|length| length > DRAIN_LIMIT) {
        return Err(Problem::too_large());
    }
    timeout(READ_LIMIT, read_bounded(body)).await.unwrap_or_else(|_| Err(Problem::too_slow()))
}

async fn read_bounded(mut body: Body) -> Result<Bytes, Problem> {
    let mut kept = Vec::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Problem::new(400, "INVALID_BODY", "the request's body cannot be read"))?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen <= BODY_LIMIT {
            kept.extend_from_slice(&data);
        } else if seen > DRAIN_LIMIT {
            break;
        }
    }
    if seen > BODY_LIMIT {
        return Err(Problem::too_large());
    }
    Ok(kept.into())
}
