//! A request that is answered before its body was read to the end also ends its connection, and the answer says so: who keeps
//! connections would otherwise send the next request into one that is being closed. The rest of the body is passed over, within
//! bounds: what is closed with something unread is reset, and whoever is still sending would lose the answer.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How much of an unread body is passed over, and for how long.
const LINGER_BYTES: usize = 16 * 1024 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(2);

/// Adds `connection: close` to the answer of a request whose body was not read.
pub(crate) async fn announce(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let ended = Arc::new(AtomicBool::new(false));
    // Who waits for a `100 Continue` sends nothing without it.
    let lingers = !request.headers().contains_key(header::EXPECT);
    let watched = |body| {
        Body::new(Watched {
            body,
            ended: Arc::clone(&ended),
            lingers,
        })
    };
    let mut response = next.run(request.map(watched)).await;
    if !ended.load(Ordering::SeqCst) {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A body that notes when it was read to its end.
struct Watched {
    body: Body,
    ended: Arc<AtomicBool>,
    lingers: bool,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.lingers || self.ended.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let rest = mem::take(&mut self.body);
            runtime.spawn(timeout(LINGER_TIME, pass_over(rest)));
        }
    }
}

async fn pass_over(mut rest: Body) {
    let mut left = LINGER_BYTES;
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut rest).poll_frame(cx)).await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(fewer) => left = fewer,
            None => return,
        }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let is_last = match &frame {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => self.body.is_end_stream(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        if is_last {
            self.ended.store(true, Ordering::SeqCst);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use http_body_util::BodyExt;
    use tower::Service;

    use super::*;

    async fn closes(path: &str, body: &'static str) -> bool {
        let mut app = Router::new()
            .route("/reads", post(|body: Bytes| async move { body }))
            .route("/refuses", post(|| async { "no" }))
            .layer(from_fn(announce));
        let request = Request::post(path).body(Body::from(body)).unwrap();
        let response = app.call(request).await.unwrap();
        let closes = response
            .headers()
            .get(header::CONNECTION)
            .is_some_and(|value| value == "close");
        response.into_body().collect().await.unwrap();
        closes
    }

    #[tokio::test]
    async fn a_body_that_was_not_read_ends_its_connection() {
        assert!(closes("/refuses", "a body").await);
        assert!(closes("/nowhere", "a body").await);
        assert!(!closes("/refuses", "").await);
        assert!(!closes("/reads", "a body").await);
    }
}
