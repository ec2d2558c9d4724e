//! HTTP/1.1 by hand: sends what no well-behaved client would.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a server may take to answer before a case fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request as it will be written.
#[derive(Clone, Debug)]
pub(super) struct RawRequest {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) framing: Framing,
}

/// How the length of the body is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    /// By `content-length`, when there is a body.
    Length,
    /// In chunks of at most 700 bytes.
    Chunked,
    /// By a `content-length` that is larger than what is sent; the connection then stays open.
    Announced(usize),
}

impl RawRequest {
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    pub(super) fn replace(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    pub(super) fn twice(self, name: &str) -> Self {
        let value = self.value(name).to_owned();
        self.with(name, &value)
    }

    pub(super) fn value(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value)
    }

    pub(super) fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: localhost\r\n",
            self.method, self.target
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.framing {
            Framing::Length if self.body.is_empty() && self.method != "POST" => {}
            Framing::Length => head.push_str(&format!("content-length: {}\r\n", self.body.len())),
            Framing::Announced(length) => head.push_str(&format!("content-length: {length}\r\n")),
            Framing::Chunked => head.push_str("transfer-encoding: chunked\r\n"),
        }
        let mut bytes = (head + "\r\n").into_bytes();
        if matches!(self.framing, Framing::Chunked) {
            for chunk in self.body.chunks(700) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        } else {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// An answer as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct RawResponse {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl RawResponse {
    pub(super) fn value(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value)
    }
}

/// One connection; it may carry several exchanges.
pub(super) struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            stream: patient(TcpStream::connect(address)).await?,
            unread: Vec::new(),
        })
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        patient(self.stream.write_all(bytes)).await
    }

    pub(super) async fn exchange(&mut self, request: &RawRequest) -> io::Result<RawResponse> {
        self.write(&request.bytes()).await?;
        self.read(request.method == "HEAD").await
    }

    /// Reads one answer; an answer to HEAD has no body whatever its length says.
    pub(super) async fn read(&mut self, to_head: bool) -> io::Result<RawResponse> {
        let end = loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
        self.unread.drain(..end + 4);
        let mut response = parse_head(&head)?;
        if to_head {
            return Ok(response);
        }
        let length: usize = response.value("content-length").parse().unwrap_or(0);
        while self.unread.len() < length {
            self.fill().await?;
        }
        response.body = self.unread.drain(..length).collect();
        Ok(response)
    }

    async fn fill(&mut self) -> io::Result<()> {
        match patient(self.stream.read_buf(&mut self.unread)).await? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection before its answer was whole",
            )),
            _ => Ok(()),
        }
    }
}

/// Sends one request on a connection of its own.
pub(super) async fn send(address: SocketAddr, request: &RawRequest) -> io::Result<RawResponse> {
    Connection::open(address).await?.exchange(request).await
}

async fn patient<T>(waiting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, waiting).await?
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes
        .windows(pattern.len())
        .position(|window| window == pattern)
}

fn parse_head(head: &str) -> io::Result<RawResponse> {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(':'));
    Ok(RawResponse {
        status: status.ok_or_else(|| io::Error::other(format!("no status in {head:?}")))?,
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    })
}
