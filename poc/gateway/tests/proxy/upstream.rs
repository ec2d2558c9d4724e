//! A peer that notes what arrives, byte by byte, and answers by the path.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jwt_auth::{
    InternalContext, InternalRequest, InternalTokenVerifier, Jwks, MemoryKeySource,
    MemoryNonceStore, ReplayGuard,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// What comes about comes about within this time.
pub(crate) const WITHIN: Duration = Duration::from_secs(10);

/// A request, as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The request line.
    pub(crate) line: String,
    /// Header lines: name in lower case, value.
    pub(crate) headers: Vec<(String, String)>,
    /// What of the body has come so far.
    pub(crate) body: Vec<u8>,
    /// Whether its connection has ended.
    pub(crate) is_gone: bool,
}

impl Seen {
    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let own = self.headers.iter().filter(|(known, _)| known == name);
        own.map(|(_, value)| value.as_str()).collect()
    }

    /// The one value of a header.
    pub(crate) fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} in {self:?}");
        all[0]
    }
}

impl Seen {
    /// Reads its token as the peer `audience` would, which believes `keys`.
    pub(crate) async fn token(
        &self,
        keys: Jwks,
        audience: &str,
        method: &str,
        uri: &str,
    ) -> Result<InternalContext, String> {
        let keys = Arc::new(MemoryKeySource::new(keys));
        let replay = ReplayGuard::new(Arc::new(MemoryNonceStore::default()));
        let verifier = InternalTokenVerifier::new(keys, replay, audience);
        let tokens = self.all("x-internal-auth").into_iter().map(str::as_bytes);
        let tokens: Vec<&[u8]> = tokens.collect();
        let request = InternalRequest {
            tokens: &tokens,
            method,
            uri,
        };
        let verified = verifier.verify(request).await;
        verified.map_err(|rejection| rejection.to_string())
    }
}

/// It listens until it is dropped.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
    /// Counts what may be sent on `/events`.
    events: watch::Sender<usize>,
}

#[derive(Default)]
struct Log {
    seen: Mutex<Vec<Seen>>,
}

impl Log {
    fn change(&self, index: usize, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap()[index]);
    }
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (log, (events, receiver)) = (Arc::<Log>::default(), watch::channel(0));
        let shared = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&shared), receiver.clone()));
            }
        });
        Self {
            address,
            log,
            events,
        }
    }

    /// Everything that came.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.log.seen.lock().unwrap().clone()
    }

    /// The only request that came.
    pub(crate) fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }

    /// Sends one more event on `/events`.
    pub(crate) fn send_event(&self) {
        self.events.send_modify(|count| *count += 1);
    }

    /// Waits until what came is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&[Seen]) -> bool) {
        let reached = timeout(WITHIN, async {
            while !wanted(&self.seen()) {
                sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(reached.await.is_ok(), "{what}: {:?}", self.seen());
    }
}

async fn converse(mut stream: TcpStream, log: Arc<Log>, events: watch::Receiver<usize>) {
    let mut buffer = Vec::new();
    while let Some(seen) = head(&mut stream, &mut buffer).await {
        let path = seen.line.split(' ').nth(1).unwrap_or_default().to_owned();
        let index = {
            let mut all = log.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        if path == "/early" {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly";
            stream.write_all(answer).await.unwrap();
        }
        let whole = body(&mut stream, &mut buffer, &seen, |body| {
            log.change(index, |seen| seen.body = body.to_vec());
        });
        if whole.await.is_none()
            || answer(&mut stream, &path, &seen, events.clone())
                .await
                .is_none()
        {
            log.change(index, |seen| seen.is_gone = true);
            return;
        }
    }
}

async fn head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        more(stream, buffer).await?;
    };
    let text = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = text.split("\r\n").map(str::to_owned);
    let line = lines.next()?;
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    Some(Seen {
        line,
        headers: headers.collect(),
        ..Seen::default()
    })
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    match stream.read_buf(buffer).await {
        Ok(1..) => Some(()),
        _ => None,
    }
}

/// Reads the body by its length, or until the last of its chunks (which no test writes into a chunk).
async fn body(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    seen: &Seen,
    note: impl Fn(&[u8]),
) -> Option<()> {
    let length = seen
        .all("content-length")
        .first()
        .map(|it| it.parse().unwrap());
    let is_chunked = !seen.all("transfer-encoding").is_empty();
    let is_whole = |buffer: &[u8]| match length {
        Some(length) => buffer.len() >= length,
        None => !is_chunked || buffer.ends_with(b"0\r\n\r\n"),
    };
    note(buffer);
    while !is_whole(buffer) {
        more(stream, buffer).await?;
        note(buffer);
    }
    buffer.clear();
    Some(())
}

async fn answer(
    stream: &mut TcpStream,
    path: &str,
    seen: &Seen,
    mut events: watch::Receiver<usize>,
) -> Option<()> {
    let answer = match path {
        "/early" => return Some(()),
        "/silent" => return silent(stream).await,
        "/cut" => return None,
        "/half" => {
            let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
            stream.write_all(half).await.ok()?;
            return silent(stream).await;
        }
        "/events" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                        transfer-encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()?;
            loop {
                tokio::select! {
                    changed = events.changed() => changed.ok()?,
                    gone = silent(stream) => return gone,
                }
                let text = format!("data: {}\n\n", *events.borrow());
                let chunk = format!("{:x}\r\n{text}\r\n", text.len());
                stream.write_all(chunk.as_bytes()).await.ok()?;
            }
        }
        "/ws" if !seen.all("upgrade").is_empty() => {
            let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\
                        upgrade: websocket\r\nset-cookie: access=evil\r\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()?;
            let (mut read, mut write) = stream.split();
            tokio::io::copy(&mut read, &mut write).await.ok()?;
            return None;
        }
        _ => {
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x-hop\r\nx-hop: 1\r\n\
             keep-alive: timeout=5\r\nx-internal-auth: leaked\r\nx-request-id: theirs\r\n\
             set-cookie: access=evil; Path=/\r\nset-cookie: __Host-refresh=evil\r\n\
             set-cookie: theirs=1\r\nx-kept: 1\r\n\r\nok"
        }
    };
    stream.write_all(answer.as_bytes()).await.ok()
}

/// Says nothing until the other side has ended.
async fn silent(stream: &mut TcpStream) -> Option<()> {
    let mut byte = [0];
    while matches!(stream.read(&mut byte).await, Ok(1..)) {}
    None
}
