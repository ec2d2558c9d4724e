//! A small closed-loop HTTP/1.1 load generator: each connection sends, waits for the whole answer, and sends again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::Error;

/// Makes the bytes of the next request.
pub(crate) type Request = Arc<dyn Fn() -> Vec<u8> + Send + Sync>;

/// Sends requests over `connections` for `time`; answers requests per second. Every answer must be 200.
pub(crate) async fn run(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    request: Request,
) -> Result<f64, Error> {
    let done = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let tasks = (0..connections).map(|_| {
        let (request, done) = (Arc::clone(&request), Arc::clone(&done));
        tokio::spawn(async move { connection(address, start + time, &request, &done).await })
    });
    for outcome in try_join_all(tasks).await? {
        outcome?;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
}

async fn connection(
    address: SocketAddr,
    until: Instant,
    request: &Request,
    done: &AtomicU64,
) -> Result<(), Error> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 4096];
    while Instant::now() < until {
        stream.write_all(&request()).await?;
        answer(&mut stream, &mut buffer).await?;
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Reads one whole answer.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<(), Error> {
    let mut filled = 0;
    loop {
        let n = stream.read(&mut buffer[filled..]).await?;
        if n == 0 {
            return Err("the server closed the connection".into());
        }
        filled += n;
        let text = &buffer[..filled];
        let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&text[..end]);
        if !head.starts_with("HTTP/1.1 200") {
            return Err(format!("unexpected answer: {}", String::from_utf8_lossy(text)).into());
        }
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(|v| v.trim().to_owned())
            })
            .ok_or("an answer without content-length")?;
        if filled >= end + 4 + length.parse::<usize>()? {
            return Ok(());
        }
    }
}
