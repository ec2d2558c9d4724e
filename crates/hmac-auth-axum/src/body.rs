//! A body of axum as the contract reads it.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::HttpBody;
use bytes::Bytes;
use hmac_auth::layer::BodyChunks;
use tower::BoxError;

/// The data of a body, frame by frame.
pub(crate) struct Frames<B>(pub(crate) B);

impl<B> BodyChunks for Frames<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Box<dyn Error + Send + Sync>>>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use axum::body::Body;

    use super::*;

    #[tokio::test]
    async fn frames_come_in_order_up_to_the_one_that_fails() {
        let frames = [Ok("a"), Ok("bc"), Err("connection reset")];
        let body = Body::from_stream(futures_util::stream::iter(frames));
        let mut frames = Frames(body);
        for expected in ["a", "bc"] {
            let chunk = poll_fn(|cx| frames.poll_chunk(cx)).await;
            assert_eq!(chunk.unwrap().unwrap(), expected);
        }
        let failed = poll_fn(|cx| frames.poll_chunk(cx)).await;
        assert_eq!(failed.unwrap().unwrap_err().to_string(), "connection reset");
    }

    #[tokio::test]
    async fn an_empty_body_ends_at_once() {
        let mut frames = Frames(Body::empty());
        assert!(poll_fn(|cx| frames.poll_chunk(cx)).await.is_none());
    }
}
