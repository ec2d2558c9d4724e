//! Reads a body whole, within its limits.

use std::time::Duration;

use axum::body::HttpBody;
use bytes::Bytes;
use hmac_auth::layer::{BodyBuffer, Refusal};
use http_body_util::BodyExt;
use tower::BoxError;

/// Reads `body` to its end within `time`. Trailers are dropped: nothing signs them.
pub(crate) async fn read<B>(body: B, buffer: BodyBuffer, time: Duration) -> Result<Bytes, Refusal>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    tokio::time::timeout(time, collect(body, buffer))
        .await
        .map_err(|_| Refusal::BodyTimeout)?
}

async fn collect<B>(mut body: B, mut buffer: BodyBuffer) -> Result<Bytes, Refusal>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::BodyUnreadable(error.into()))?;
        if let Ok(data) = frame.into_data() {
            buffer.push(data)?;
        }
    }
    Ok(buffer.finish())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use hmac_auth::layer::BodyLimits;
    use http::HeaderMap;

    use super::*;
    use crate::head::HeaderView;

    fn buffer(bytes: usize) -> BodyBuffer {
        let limits = BodyLimits {
            bytes,
            ..BodyLimits::default()
        };
        limits.open(&HeaderView(&HeaderMap::new())).unwrap()
    }

    fn frames(frames: &'static [Result<&'static str, &'static str>]) -> Body {
        let frames = frames.iter().map(|frame| frame.map(str::as_bytes));
        Body::from_stream(futures_util::stream::iter(frames))
    }

    #[tokio::test]
    async fn frames_are_joined_in_order() {
        let body = frames(&[Ok("a"), Ok(""), Ok("bc"), Ok("def")]);
        let read = read(body, buffer(6), Duration::from_secs(1)).await.unwrap();
        assert_eq!(read, "abcdef");
    }

    #[tokio::test]
    async fn one_byte_too_many_is_refused() {
        let body = frames(&[Ok("abc"), Ok("defg")]);
        let refusal = read(body, buffer(6), Duration::from_secs(1))
            .await
            .unwrap_err();
        assert_eq!(refusal.code_and_status(), ("PAYLOAD_TOO_LARGE", 413));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        let body = frames(&[Ok("abc"), Err("connection reset")]);
        let refusal = read(body, buffer(6), Duration::from_secs(1))
            .await
            .unwrap_err();
        assert_eq!(refusal.code_and_status(), ("INVALID_BODY", 400));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, BoxError>>());
        let refusal = read(body, buffer(6), Duration::from_secs(1))
            .await
            .unwrap_err();
        assert_eq!(refusal.code_and_status(), ("REQUEST_TIMEOUT", 408));
    }
}
