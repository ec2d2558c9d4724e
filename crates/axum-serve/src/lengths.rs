//! Watches the bytes of a connection for what hyper takes away before anybody sees it: a second `content-length`, and one
//! beside `transfer-encoding`. Two servers that read such a head in different ways take one request for two.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::http::{Request, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The heads of one connection, as they came. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Heads(Arc<Mutex<Bytes>>);

/// What came and was not asked for yet. No more than what hyper reads ahead.
#[derive(Default)]
struct Bytes {
    waiting: Vec<u8>,
    /// So many bytes of a body are still to come, before the next head.
    of_body: u64,
    /// Where the next head begins is not known: nothing is kept any more.
    is_over: bool,
}

impl Heads {
    /// Takes the head of `request`, which hyper has just read, and tells whether it has at most one length. After a request
    /// whose body comes in chunks the connection must end.
    pub(crate) fn next<B>(&self, request: &Request<B>) -> bool {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let headers = request.headers();
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let has_one_length = bytes.take_head(length.unwrap_or(0));
        if headers.contains_key(header::TRANSFER_ENCODING) {
            bytes.end();
        }
        has_one_length
    }

    /// No head comes any more: the connection is upgraded.
    pub(crate) fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).end();
    }

    fn saw(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(bytes);
    }
}

impl Bytes {
    fn push(&mut self, mut bytes: &[u8]) {
        if self.is_over {
            return;
        }
        let of_body = usize::try_from(self.of_body).unwrap_or(usize::MAX);
        let passed = of_body.min(bytes.len());
        self.of_body -= passed as u64;
        bytes = &bytes[passed..];
        self.waiting.extend_from_slice(bytes);
    }

    fn end(&mut self) {
        self.is_over = true;
        self.waiting = Vec::new();
    }

    fn take_head(&mut self, length: u64) -> bool {
        if self.is_over {
            return false;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let mut rest = &waiting[waiting.iter().take_while(blank).count()..];
        let (mut lengths, mut codings) = (0, 0);
        loop {
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                return false;
            };
            let line = rest[..end].trim_ascii_end();
            rest = &rest[end + 1..];
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            if name.eq_ignore_ascii_case(b"content-length") {
                lengths += 1;
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                codings += 1;
            } else if line.is_empty() {
                break;
            }
        }
        self.of_body = length;
        self.push(rest);
        lengths + codings <= 1
    }
}

/// A stream whose incoming bytes are shown to [`Heads`].
pub(crate) struct Watched<S> {
    stream: S,
    heads: Heads,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, heads: Heads) -> Self {
        Self { stream, heads }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.heads.saw(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each head of a connection has at most one length; the lengths are those that hyper goes by.
    fn heads(wire: &str, lengths: &[u64]) -> Vec<bool> {
        // Byte by byte and at once: the same heads.
        let once = |size: usize| {
            let mut bytes = Bytes::default();
            let mut chunks = wire.as_bytes().chunks(size);
            let mut seen = Vec::new();
            for length in lengths {
                while !is_whole(&bytes) {
                    bytes.push(chunks.next().unwrap());
                }
                seen.push(bytes.take_head(*length));
            }
            seen
        };
        let seen = once(wire.len());
        assert_eq!(once(1), seen);
        seen
    }

    /// Whether the next head is whole.
    fn is_whole(bytes: &Bytes) -> bool {
        let text = String::from_utf8_lossy(&bytes.waiting);
        let text = text.trim_start_matches(['\r', '\n']);
        text.contains("\r\n\r\n") || text.contains("\n\n")
    }

    #[test]
    fn one_length_is_one_line() {
        let head = |lines: &str| format!("POST / HTTP/1.1\r\nhost: a\r\n{lines}\r\n");
        for (lines, length, expected) in [
            ("", 0, true),
            ("content-length: 2\r\n", 2, true),
            ("transfer-encoding: chunked\r\n", 0, true),
            ("content-length: 2\r\ncontent-length: 2\r\n", 2, false),
            (
                "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
                0,
                false,
            ),
            (
                "transfer-encoding: chunked\r\ncontent-length:2\r\n",
                0,
                false,
            ),
            ("x-content-length: 2\r\ncontent-length: 2\r\n", 2, true),
        ] {
            assert_eq!(heads(&head(lines), &[length]), [expected], "{lines}");
        }
        assert_eq!(heads("\r\nGET / HTTP/1.1\nhost: a\n\n", &[0]), [true]);
    }

    #[test]
    fn a_body_is_no_head() {
        let body = "\r\ncontent-length: 1\r\n\r\n";
        let length = body.len() as u64;
        let post = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}");
        let wire = format!("{post}GET / HTTP/1.1\r\n\r\n{post}");
        assert_eq!(heads(&wire, &[length, 0, length]), [true, true, true]);
    }

    #[test]
    fn nothing_is_kept_of_a_body() {
        let heads = Heads::default();
        heads.saw(b"POST / HTTP/1.1\r\ncontent-length: 5000000\r\n\r\n");
        let request = Request::post("/").header("content-length", "5000000");
        assert!(heads.next(&request.body(()).unwrap()));
        for _ in 0..4 {
            heads.saw(&[b'x'; 1_000_000]);
        }
        assert_eq!(heads.0.lock().unwrap().waiting.capacity(), 0);
    }
}
