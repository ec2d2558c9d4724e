//! The body of an answer, on its way to whoever asked: as it comes, and no longer than it may.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// Cancelled, whatever is awaited ends.
type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An answer that ends with the peer's, with its caller's right to it, or when the peer says nothing for too long.
pub(super) struct Relay {
    body: Incoming,
    idle: Duration,
    silence: Pin<Box<Sleep>>,
    /// Whether the peer is waited for, and not whoever reads.
    waits: bool,
    ended: Ended,
    /// Cut off, it is whole all the same.
    is_stream: bool,
    is_over: bool,
}

impl Relay {
    /// Hands `body` on until `ended` is over; a peer may be silent for `idle`. One that `is_stream` of events is whole
    /// wherever it ends; any other is seen to be cut off.
    pub(super) fn new(
        body: Incoming,
        is_stream: bool,
        idle: Duration,
        ended: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self {
            body,
            idle,
            silence: Box::pin(sleep(idle)),
            waits: false,
            ended: Box::pin(ended),
            is_stream,
            is_over: false,
        }
    }

    fn cut(&mut self, why: &'static str) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_over = true;
        match self.is_stream {
            true => Poll::Ready(None),
            false => Poll::Ready(Some(Err(axum::Error::new(io::Error::other(why))))),
        }
    }
}

impl HttpBody for Relay {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if self.ended.as_mut().poll(cx).is_ready() {
            return self.cut("the caller's right to this answer has ended");
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.waits = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        if !self.waits {
            self.waits = true;
            let until = Instant::now() + self.idle;
            self.silence.as_mut().reset(until);
        }
        if self.silence.as_mut().poll(cx).is_ready() {
            return self.cut("the peer does not go on with its answer");
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
