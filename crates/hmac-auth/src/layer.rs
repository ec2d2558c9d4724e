//! What every HTTP layer decides, so that no adapter decides it: which target is verified, in which order the checks run,
//! how much body is read, for how long, who may pass a restricted route, and what a refusal looks like on the wire.
//!
//! An adapter (`hmac-auth-axum`, `hmac-auth-actix`) translates its framework's request into these types and this
//! crate's answers into its framework's response. Two adapters that differ in anything else have a bug.

use std::collections::HashSet;
use std::error::Error;
use std::future::poll_fn;
use std::iter;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use auth_base::error_chain::chain;
pub use auth_base::request::sent_target;
use bytes::{Bytes, BytesMut};

use crate::credential::{ClientId, InvalidClientId};
use crate::header::Headers;
use crate::rejection::Rejection;
use crate::verify::{RequestHead, Verified, Verifier};

/// Runs every check over one request: the head, then the body, which is not read before its head was accepted, then
/// signature and nonce. Answers the proof, and the body for the handler.
///
/// `body` is `None` for a request without one; `sleep` is the timer of the framework's runtime.
///
/// # Errors
/// The first check that fails.
pub async fn admit<H: Headers, T: Future<Output = ()>>(
    verifier: &Verifier,
    limits: BodyLimits,
    head: RequestHead<'_, H>,
    body: Option<impl BodyChunks>,
    sleep: impl FnOnce(Duration) -> T,
) -> Result<(Verified, Bytes), Refusal> {
    // Each HTTP server makes something else of such a target, or nothing.
    let is_ascii = head.target.is_ascii();
    let pending = verifier.check_head(head).await?;
    if !is_ascii {
        return Err(verifier.bad_signature(&pending).into());
    }
    let body = match body {
        None => Bytes::new(),
        Some(body) => limits.read(head.headers, body, sleep).await?,
    };
    let verified = verifier.check_body(pending, &body).await?;
    Ok((verified, body))
}

/// Tells whether a request that asks for another protocol (a WebSocket) announces no body: what follows its head then is no
/// body, whatever the framework says, and has no end.
pub fn is_bare_upgrade<H: Headers>(headers: &H) -> bool {
    let has = |name| headers.values(name).next().is_some();
    has("upgrade") && !has("content-length") && !has("transfer-encoding")
}

fn announced<H: Headers>(headers: &H) -> Option<u64> {
    let length = headers.values("content-length").next()?;
    std::str::from_utf8(length).ok()?.trim().parse().ok()
}

/// The body of a request, as a framework hands it over.
pub trait BodyChunks {
    /// Polls for the next chunk of data, `None` at the end. Trailers are passed over: nothing signs them.
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Box<dyn Error + Send + Sync>>>>;
}

/// How much of a body a layer reads before the handler runs. It must hold the whole body to hash it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// The largest body that is accepted, in bytes. 64 KiB by default.
    pub bytes: usize,
    /// How long the client may take to send the whole body. 10 s by default.
    pub time: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            bytes: 64 * 1024,
            time: Duration::from_secs(10),
        }
    }
}

impl BodyLimits {
    /// Reads `body` to its end, within both limits.
    async fn read<H: Headers, T: Future<Output = ()>>(
        self,
        headers: &H,
        mut body: impl BodyChunks,
        sleep: impl FnOnce(Duration) -> T,
    ) -> Result<Bytes, Refusal> {
        let mut buffer = self.open(headers)?;
        // What follows the head of an upgrade does not end with the body.
        let mut left = match (headers.values("upgrade").next(), announced(headers)) {
            (Some(_), Some(length)) => length,
            _ => u64::MAX,
        };
        let mut timer = pin!(sleep(self.time));
        poll_fn(|cx| {
            while left > 0 {
                match body.poll_chunk(cx) {
                    Poll::Ready(Some(Ok(mut chunk))) => {
                        chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                        left -= chunk.len() as u64;
                        buffer.push(chunk)?;
                    }
                    Poll::Ready(Some(Err(error))) => {
                        return Poll::Ready(Err(Refusal::BodyUnreadable(error)));
                    }
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Pending => {
                        return timer.as_mut().poll(cx).map(|()| Err(Refusal::BodyTimeout));
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        Ok(buffer.finish())
    }

    /// Begins to read one body, looking at the announced `content-length` before anything is read.
    ///
    /// # Errors
    /// [`Refusal::PayloadTooLarge`] when more is announced than may be read.
    fn open<H: Headers>(&self, headers: &H) -> Result<BodyBuffer, Refusal> {
        match announced(headers) {
            Some(length) if usize::try_from(length).map_or(true, |length| length > self.bytes) => {
                Err(Refusal::PayloadTooLarge { limit: self.bytes })
            }
            _ => Ok(BodyBuffer {
                limit: self.bytes,
                first: Bytes::new(),
                joined: BytesMut::new(),
            }),
        }
    }
}

/// A body that is read within its limit.
#[derive(Debug)]
struct BodyBuffer {
    limit: usize,
    // Most bodies are one chunk, which is kept as it is; only a second one makes a copy.
    first: Bytes,
    joined: BytesMut,
}

impl BodyBuffer {
    /// Takes the next chunk.
    ///
    /// # Errors
    /// [`Refusal::PayloadTooLarge`] when the body outgrows the limit with it; nothing of the chunk is kept then.
    fn push(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        let read = self.first.len().max(self.joined.len());
        if chunk.len() > self.limit - read {
            return Err(Refusal::PayloadTooLarge { limit: self.limit });
        }
        if self.first.is_empty() {
            self.first = chunk;
        } else {
            if self.joined.is_empty() {
                self.joined.extend_from_slice(&self.first);
            }
            self.joined.extend_from_slice(&chunk);
        }
        Ok(())
    }

    /// The whole body.
    fn finish(self) -> Bytes {
        if self.joined.is_empty() {
            self.first
        } else {
            self.joined.freeze()
        }
    }
}

/// The clients that may pass a restricted route.
#[derive(Clone, Debug)]
pub struct OnlyClients(Arc<HashSet<ClientId>>);

impl OnlyClients {
    /// Lets in the clients of `names` and nobody else. No name at all lets nobody in.
    ///
    /// # Errors
    /// [`InvalidClientId`] when one of the names can be no client's.
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<Self, InvalidClientId> {
        let clients = names
            .into_iter()
            .map(|name| ClientId::parse(name.as_ref().trim()));
        Ok(Self(Arc::new(clients.collect::<Result<_, _>>()?)))
    }

    /// Decides over a request, given what the verifying layer left in it.
    ///
    /// # Errors
    /// [`Refusal::NotVerified`] when no layer verified the request, [`Refusal::ClientNotAllowed`] when the client is
    /// not one of the named.
    pub fn check(&self, verified: Option<&Verified>) -> Result<(), Refusal> {
        match verified {
            None => Err(Refusal::NotVerified),
            Some(verified) if self.0.contains(&verified.client_id) => Ok(()),
            Some(_) => Err(Refusal::ClientNotAllowed),
        }
    }
}

/// How a request would be let in, as RFC 9110 wants every 401 to say: there are HTTP clients that lose the body of one that
/// does not. No browser knows the scheme, so none asks for a password.
pub const CHALLENGE: &str = "HMAC-SHA256";

/// Why a layer answers a request itself instead of handing it on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The signature was not accepted.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The body is larger than the layer reads.
    #[error("request body is larger than {limit} bytes")]
    PayloadTooLarge {
        /// The largest body that is accepted, in bytes.
        limit: usize,
    },
    /// The client did not send the whole body in time.
    #[error("request body did not arrive in time")]
    BodyTimeout,
    /// The body broke off or is not well formed. The source is for the log only.
    #[error("request body could not be read")]
    BodyUnreadable(#[source] Box<dyn Error + Send + Sync>),
    /// The signature is good, but the route is not for this client.
    #[error("client is not allowed on this route")]
    ClientNotAllowed,
    /// The route asks who signed, but no verifying layer stands before it: a mistake of the application.
    #[error("the route has no signature-verifying layer")]
    NotVerified,
}

impl Refusal {
    /// The wire code and HTTP status.
    pub fn code_and_status(&self) -> (&'static str, u16) {
        match self {
            Self::Rejected(rejection) => rejection.code_and_status(),
            Self::PayloadTooLarge { .. } => ("PAYLOAD_TOO_LARGE", 413),
            Self::BodyTimeout => ("REQUEST_TIMEOUT", 408),
            Self::BodyUnreadable(_) => ("INVALID_BODY", 400),
            Self::ClientNotAllowed => ("CLIENT_NOT_ALLOWED", 403),
            Self::NotVerified => ("INTERNAL_ERROR", 500),
        }
    }

    /// The wire code.
    pub fn code(&self) -> &'static str {
        self.code_and_status().0
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.code_and_status().1
    }

    /// The headers of the refusal, in lower case: what its body is and, with 401, the [`CHALLENGE`].
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let challenge = (self.status() == 401).then_some(("www-authenticate", CHALLENGE));
        iter::once(("content-type", "application/json")).chain(challenge)
    }

    /// The body of the refusal: `{"error":"<CODE>","message":"<text>"}`.
    pub fn body(&self) -> String {
        serde_json::json!({ "error": self.code(), "message": self.to_string() }).to_string()
    }

    /// Tells the log: what the operator must mend as an error, what the client did wrong at debug level.
    pub fn log(&self) {
        let (code, status) = self.code_and_status();
        let cause = self.source().map(chain);
        if status >= 500 {
            tracing::error!(code, status, cause, "request refused: {self}");
        } else {
            tracing::debug!(code, status, cause, "request refused: {self}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::SecretUsed;

    struct ContentLength(&'static [&'static [u8]]);

    impl Headers for ContentLength {
        fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
            let values = if name == "content-length" {
                self.0
            } else {
                &[]
            };
            values.iter().copied()
        }
    }

    fn limits(bytes: usize) -> BodyLimits {
        BodyLimits {
            bytes,
            ..BodyLimits::default()
        }
    }

    fn verified(client_id: &str) -> Verified {
        Verified {
            client_id: ClientId::parse(client_id).unwrap(),
            secret_used: SecretUsed::Current,
            client_address: None,
        }
    }

    #[test]
    fn a_body_of_the_limit_fits_and_one_byte_more_does_not() {
        let mut body = limits(10).open(&ContentLength(&[])).unwrap();
        body.push(Bytes::from_static(b"four")).unwrap();
        body.push(Bytes::from_static(b"andsix")).unwrap();
        body.push(Bytes::new()).unwrap();
        assert!(matches!(
            body.push(Bytes::from_static(b"!")),
            Err(Refusal::PayloadTooLarge { limit: 10 })
        ));
        assert_eq!(body.finish(), "fourandsix");
    }

    #[test]
    fn an_announced_length_is_refused_before_reading() {
        assert!(limits(10).open(&ContentLength(&[b"10"])).is_ok());
        assert!(limits(10).open(&ContentLength(&[b"11"])).is_err());
        assert!(
            limits(10)
                .open(&ContentLength(&[b"18446744073709551615"]))
                .is_err()
        );
    }

    #[test]
    fn an_unreadable_length_is_left_to_counting() {
        assert!(limits(10).open(&ContentLength(&[b"\xff"])).is_ok());
        assert!(limits(10).open(&ContentLength(&[b"many"])).is_ok());
    }

    /// Gives these chunks, and then neither more nor an end.
    struct Chunks<I>(I);

    impl<I: Iterator<Item = Option<Result<&'static str, &'static str>>>> BodyChunks for Chunks<I> {
        fn poll_chunk(
            &mut self,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Bytes, Box<dyn Error + Send + Sync>>>> {
            match self.0.next() {
                None => Poll::Pending,
                Some(chunk) => Poll::Ready(chunk.map(|chunk| Ok(Bytes::from(chunk?)))),
            }
        }
    }

    async fn read(chunks: &[Option<Result<&'static str, &'static str>>]) -> Result<Bytes, Refusal> {
        let body = Chunks(chunks.iter().copied());
        let no_headers: [(&str, &str); 0] = [];
        limits(6)
            .read(&no_headers, body, |_| std::future::ready(()))
            .await
    }

    #[tokio::test]
    async fn chunks_are_joined_in_order() {
        let chunks = [
            Some(Ok("a")),
            Some(Ok("")),
            Some(Ok("bc")),
            Some(Ok("def")),
            None,
        ];
        assert_eq!(read(&chunks).await.unwrap(), "abcdef");
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_breaks_off_or_never_ends_is_refused() {
        let long = read(&[Some(Ok("abc")), Some(Ok("defg"))]).await;
        assert_eq!(
            long.unwrap_err().code_and_status(),
            ("PAYLOAD_TOO_LARGE", 413)
        );
        let broken = read(&[Some(Ok("abc")), Some(Err("connection reset"))]).await;
        assert_eq!(broken.unwrap_err().code_and_status(), ("INVALID_BODY", 400));
        let endless = read(&[Some(Ok("abc"))]).await;
        assert_eq!(
            endless.unwrap_err().code_and_status(),
            ("REQUEST_TIMEOUT", 408)
        );
    }

    #[test]
    fn an_authority_stays_visible_in_http_1_only() {
        let target = |in_http_1| sent_target(Some("/a?b"), in_http_1, || "http://evil/a?b".into());
        assert_eq!(
            (target(true), target(false)),
            ("http://evil/a?b".into(), "/a?b".into())
        );
    }

    #[test]
    fn only_named_clients_pass() {
        let only = OnlyClients::new(["billing", " ops "]).unwrap();
        assert!(only.check(Some(&verified("billing"))).is_ok());
        assert!(only.check(Some(&verified("ops"))).is_ok());
        assert!(matches!(
            only.check(Some(&verified("guest"))),
            Err(Refusal::ClientNotAllowed)
        ));
        assert!(matches!(only.check(None), Err(Refusal::NotVerified)));
        assert!(OnlyClients::new([""]).is_err());
    }

    #[test]
    fn the_body_is_the_documented_json() {
        let refusal = Refusal::PayloadTooLarge { limit: 65_536 };
        assert_eq!(
            refusal.body(),
            r#"{"error":"PAYLOAD_TOO_LARGE","message":"request body is larger than 65536 bytes"}"#
        );
    }
}
