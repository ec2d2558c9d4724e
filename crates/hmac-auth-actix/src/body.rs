//! A payload of actix as the contract reads it.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;
use hmac_auth::layer::BodyChunks;

/// The chunks of a payload.
pub(crate) struct Chunks<S>(pub(crate) S);

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> BodyChunks for Chunks<S> {
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Box<dyn Error + Send + Sync>>>> {
        let chunk = Pin::new(&mut self.0).poll_next(cx);
        chunk.map(|chunk| chunk.map(|chunk| chunk.map_err(Into::into)))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::stream;

    use super::*;

    #[actix_web::test]
    async fn chunks_come_in_order_up_to_the_one_that_fails() {
        let mut chunks = Chunks(stream::iter([
            Ok(Bytes::from_static(b"a")),
            Ok(Bytes::from_static(b"bc")),
            Err(PayloadError::Incomplete(None)),
        ]));
        for expected in ["a", "bc"] {
            let chunk = poll_fn(|cx| chunks.poll_chunk(cx)).await;
            assert_eq!(chunk.unwrap().unwrap(), expected);
        }
        assert!(poll_fn(|cx| chunks.poll_chunk(cx)).await.unwrap().is_err());
        assert!(poll_fn(|cx| chunks.poll_chunk(cx)).await.is_none());
    }
}
