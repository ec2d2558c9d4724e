//! Reads a body whole, within its limits.

use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::rt::time::timeout;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use hmac_auth::layer::{BodyBudget, Refusal};

/// Reads `body` to its end within `time`.
pub(crate) async fn read<S>(body: S, budget: BodyBudget, time: Duration) -> Result<Bytes, Refusal>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    timeout(time, collect(body, budget)).await.map_err(|_| Refusal::BodyTimeout)?
}

async fn collect<S>(mut body: S, mut budget: BodyBudget) -> Result<Bytes, Refusal>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    // Most bodies are one chunk, which is kept as it is; only a second one makes a copy.
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let data = chunk.map_err(|error| Refusal::BodyUnreadable(Box::new(error)))?;
        budget.book(data.len())?;
        if first.is_empty() {
            first = data;
        } else {
            if joined.is_empty() {
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use hmac_auth::layer::BodyLimits;

    use super::*;
    use crate::head::HeaderView;

    fn budget(bytes: usize) -> BodyBudget {
        let limits = BodyLimits { bytes, ..BodyLimits::default() };
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
        let read = read(body, budget(6), Duration::from_secs(1)).await.unwrap();
        assert_eq!(read, "abcdef");
    }

    #[actix_web::test]
    async fn one_byte_too_many_is_refused() {
        let body = chunks([Ok("abc"), Ok("defg")]);
        let refusal = read(body, budget(6), Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(refusal.code_and_status(), ("PAYLOAD_TOO_LARGE", 413));
    }

    #[actix_web::test]
    async fn a_body_that_breaks_off_is_refused() {
        let body = chunks([Ok("abc"), Err(PayloadError::Incomplete(None))]);
        let refusal = read(body, budget(6), Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(refusal.code_and_status(), ("INVALID_BODY", 400));
    }

    #[actix_web::test]
    async fn a_body_that_never_ends_is_given_up() {
        let body = stream::pending::<Result<Bytes, PayloadError>>();
        let refusal = read(body, budget(6), Duration::from_millis(10)).await.unwrap_err();
        assert_eq!(refusal.code_and_status(), ("REQUEST_TIMEOUT", 408));
    }
}
