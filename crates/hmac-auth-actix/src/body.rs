//! Reads a body whole, within its limits.

use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::rt::time::timeout;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hmac_auth::layer::{BodyBuffer, Refusal};

/// Reads `body` to its end within `time`.
pub(crate) async fn read<S>(body: S, buffer: BodyBuffer, time: Duration) -> Result<Bytes, Refusal>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    timeout(time, collect(body, buffer))
        .await
        .map_err(|_| Refusal::BodyTimeout)?
}

async fn collect<S>(mut body: S, mut buffer: BodyBuffer) -> Result<Bytes, Refusal>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    while let Some(chunk) = body.next().await {
        buffer.push(chunk.map_err(|error| Refusal::BodyUnreadable(Box::new(error)))?)?;
    }
    Ok(buffer.finish())
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use hmac_auth::layer::BodyLimits;

    use super::*;
    use crate::head::HeaderView;

    fn buffer(bytes: usize) -> BodyBuffer {
        let limits = BodyLimits {
            bytes,
            ..BodyLimits::default()
        };
        limits.open(&HeaderView(&Default::default())).unwrap()
    }

    fn chunks<const N: usize>(
        chunks: [Result<&'static str, PayloadError>; N],
    ) -> impl Stream<Item = Result<Bytes, PayloadError>> + Unpin {
        stream::iter(chunks.map(|chunk| chunk.map(|data| Bytes::from_static(data.as_bytes()))))
    }

    #[actix_web::test]
    async fn chunks_are_joined_in_order() {
        let body = chunks([Ok("a"), Ok(""), Ok("bc"), Ok("def")]);
        let read = read(body, buffer(6), Duration::from_secs(1)).await.unwrap();
        assert_eq!(read, "abcdef");
    }

    #[actix_web::test]
    async fn one_byte_too_many_is_refused() {
        let body = chunks([Ok("abc"), Ok("defg")]);
        let refusal = read(body, buffer(6), Duration::from_secs(1))
            .await
            .unwrap_err();
        assert_eq!(refusal.code_and_status(), ("PAYLOAD_TOO_LARGE", 413));
    }

    #[actix_web::test]
    async fn a_body_that_breaks_off_is_refused() {
        let body = chunks([Ok("abc"), Err(PayloadError::Incomplete(None))]);
        let refusal = read(body, buffer(6), Duration::from_secs(1))
            .await
            .unwrap_err();
        assert_eq!(refusal.code_and_status(), ("INVALID_BODY", 400));
    }

    #[actix_web::test]
    async fn a_body_that_never_ends_is_given_up() {
        let body = stream::pending::<Result<Bytes, PayloadError>>();
        let refusal = read(body, buffer(6), Duration::from_millis(10))
            .await
            .unwrap_err();
        assert_eq!(refusal.code_and_status(), ("REQUEST_TIMEOUT", 408));
    }
}
