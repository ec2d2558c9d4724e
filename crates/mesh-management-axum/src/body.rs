//! Reads a body up to the limit.

use axum::body::Body;
use axum::http::HeaderMap;
use http_body_util::BodyExt;
use mesh_api::problem::Problem;
use mesh_management::body::{Chunks, READ_LIMIT};
use tokio::time::timeout;

use crate::answer::Headers;

/// Reads a body of at most [`mesh_api::problem::BODY_LIMIT`] bytes.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    let chunks = Chunks::declared(&Headers(headers))?;
    timeout(READ_LIMIT, read_bounded(chunks, body))
        .await
        .unwrap_or_else(|_| Err(Problem::too_slow()))
}

async fn read_bounded(mut chunks: Chunks, mut body: Body) -> Result<Vec<u8>, Problem> {
    while chunks.is_open()
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|_| Problem::broken_body())?;
        if let Ok(data) = frame.into_data() {
            chunks.push(&data);
        }
    }
    chunks.whole()
}
