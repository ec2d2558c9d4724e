//! Reads a body up to the limit.

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use futures_util::StreamExt;
use mesh_api::problem::Problem;
use mesh_management::body::{Chunks, READ_LIMIT};
use tokio::time::timeout;

use crate::answer::Headers;

/// Reads a body of at most [`mesh_api::problem::BODY_LIMIT`] bytes.
pub(crate) async fn read(headers: &HeaderMap, body: Payload) -> Result<Vec<u8>, Problem> {
    let chunks = Chunks::declared(&Headers(headers))?;
    timeout(READ_LIMIT, read_bounded(chunks, body))
        .await
        .unwrap_or_else(|_| Err(Problem::too_slow()))
}

async fn read_bounded(mut chunks: Chunks, mut body: Payload) -> Result<Vec<u8>, Problem> {
    while chunks.is_open()
        && let Some(data) = body.next().await
    {
        chunks.push(&data.map_err(|_| Problem::broken_body())?);
    }
    chunks.whole()
}
