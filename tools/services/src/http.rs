//! A few lines of HTTP for loopback: the peers' readiness, and the first requests of a demo.
//!
//! Small on purpose: whoever tests a peer's HTTP behaviour uses a real client.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

pub use url::Url;

use crate::error::Error;

/// How long one exchange may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The largest answer that is read, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Sends one JSON request, waits for the whole answer and returns its status and body. Bounded by 20 s a step.
///
/// # Errors
/// [`Error::Io`] when the server cannot be reached or does not speak HTTP.
pub async fn exchange(
    method: &'static str,
    url: Url,
    body: Option<String>,
) -> Result<(u16, String), Error> {
    exchange_with(method, url, None, body).await
}

/// The same with a header of the caller's.
///
/// # Errors
/// Those of [`exchange`].
pub async fn exchange_with(
    method: &'static str,
    url: Url,
    header: Option<(&'static str, String)>,
    body: Option<String>,
) -> Result<(u16, String), Error> {
    let what = format!("{method} {}", url.path());
    let exchange = tokio::task::spawn_blocking(move || {
        blocking(method, &url, header.as_ref(), body.as_deref())
    });
    let answer = exchange
        .await
        .map_err(|error| Error::Unexpected(format!("{what}: {error}")))?;
    answer.map_err(Error::io(what))
}

fn blocking(
    method: &str,
    url: &Url,
    header: Option<&(&str, String)>,
    body: Option<&str>,
) -> io::Result<(u16, String)> {
    let host = url.host_str().unwrap_or("127.0.0.1");
    let port = url.port_or_known_default().unwrap_or(80);
    let address = (host, port)
        .to_socket_addrs()?
        .next()
        .ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let body = body.unwrap_or_default();
    let mut request = format!(
        "{method} {target} HTTP/1.0\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    if let Some((name, value)) = header {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("connection: close\r\n\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LARGEST).read_to_end(&mut answer)?;
    parse(&answer)
}

/// Splits an answer into status and body; HTTP/1.0 was asked for, so there are no chunks.
fn parse(answer: &[u8]) -> io::Result<(u16, String)> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP");
    let head_end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or_else(malformed)?;
    let head = String::from_utf8_lossy(&answer[..head_end]);
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(malformed)?;
    Ok((
        status,
        String::from_utf8_lossy(&answer[head_end + 4..]).into_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_split_and_garbage_is_an_error() {
        assert_eq!(
            parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(),
            (204, String::new())
        );
        assert_eq!(
            parse(b"HTTP/1.0 200 OK\r\na: b\r\n\r\n{}").unwrap(),
            (200, "{}".to_owned())
        );
        assert!(parse(b"AMQP\0\0\x09\x01").is_err());
        assert!(parse(b"HTTP/1.1 x\r\n\r\n").is_err());
    }
}
