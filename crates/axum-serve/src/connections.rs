//! Accepts connections and serves them, until somebody says stop.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::lengths::{Heads, Watched};
use crate::malformed::{is_malformed, refusal};
use crate::unread;

/// The first request's head comes within this time.
const HEAD_LIMIT: Duration = Duration::from_secs(15);

/// How many headers a head has at most, and how many bytes; as on actix-web, where neither can be set.
const HEADERS: usize = 96;
const HEAD_SIZE: usize = 128 * 1024;

/// How long nothing is accepted when the process has too many files open.
const PAUSE: Duration = Duration::from_millis(200);

/// How long [`serve`] keeps a connection whose next request does not come: longer than load balancers do.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Serves until `stop` is over, with [`KEEP_ALIVE`].
///
/// # Errors
/// As for [`serve_for`].
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_for(listener, router, KEEP_ALIVE, stop).await
}

/// Serves until `stop` is over: a connection whose next request does not come for `keep_alive` is closed. Then it waits for
/// the requests that are open. Whoever drops the future cuts them off. Handlers may take [`ConnectInfo<SocketAddr>`], and may
/// upgrade a connection (`hyper::upgrade::on`): it is theirs then, and nobody here waits for its end.
///
/// # Errors
/// None yet: what goes wrong with one connection ends that connection.
pub async fn serve_for(
    listener: TcpListener,
    router: Router,
    keep_alive: Duration,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let stopped = CancellationToken::new();
    let stopping = async {
        stop.await;
        stopped.cancel();
    };
    tokio::join!(
        accept(listener, router, keep_alive, stopped.clone()),
        stopping
    );
    Ok(())
}

/// Serves until `stop` is over, with [`KEEP_ALIVE`]. The requests that are open then have `limit` to be answered; those that are
/// left are cut off.
///
/// # Errors
/// As for [`serve_for`].
pub async fn serve_within(
    listener: TcpListener,
    router: Router,
    limit: Duration,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let stopped = CancellationToken::new();
    let overdue = async {
        stop.await;
        tracing::info!("stopping");
        stopped.cancel();
        sleep(limit).await;
    };
    tokio::select! {
        served = serve(listener, router, stopped.cancelled()) => served,
        () = overdue => {
            tracing::warn!("requests that are open are cut off");
            Ok(())
        }
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    keep_alive: Duration,
    stop: CancellationToken,
) {
    let router = router.layer(from_fn(unread::announce));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(keep_alive)
        .max_headers(HEADERS)
        .max_header_size(HEAD_SIZE);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    connections.spawn(converse(http.clone(), stream, address, router.clone(), stop.clone()));
                }
                Err(error) => not_accepted(&error, &stop).await,
            },
            // A connection that has ended is forgotten.
            Some(_) = connections.join_next() => {}
            () = stop.cancelled() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn converse(
    http: http1::Builder,
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let asked = CancellationToken::new();
    let heads = Heads::default();
    let stream = Watched::new(stream, heads.clone());
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        asked.cancel();
        request.extensions_mut().insert(ConnectInfo(address));
        answer(router.clone(), request.map(Body::new), heads.clone())
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection.with_upgrades());
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = unasked(&asked) => return,
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ends when no first request came in time.
async fn unasked(asked: &CancellationToken) {
    if timeout(HEAD_LIMIT, asked.cancelled()).await.is_ok() {
        pending::<()>().await;
    }
}

async fn answer(router: Router, request: Request, heads: Heads) -> Result<Response, Infallible> {
    if !heads.next(&request) || is_malformed(&request) {
        return Ok(refusal());
    }
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut response = router.oneshot(request).await?;
    if is_chunked {
        // Where the next head begins is not known here.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        heads.end();
    }
    Ok(response)
}

/// One connection that is gone before it is accepted says nothing; a lack of files does, and needs a pause.
async fn not_accepted(error: &io::Error, stop: &CancellationToken) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        return;
    }
    tracing::error!(%error, "no connection can be accepted");
    // Whether the pause is over or the peer shall stop, the caller sees for itself.
    let _ = timeout(PAUSE, stop.cancelled()).await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Instant, sleep};

    use super::*;

    const KEPT: Duration = Duration::from_secs(75);

    async fn serving(stop: &CancellationToken) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "here" }));
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(serve_for(listener, router, KEPT, stopped));
        address
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_ends_the_connection() {
        let address = serving(&CancellationToken::new()).await;
        let started = Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(started.elapsed() >= HEAD_LIMIT && started.elapsed() < HEAD_LIMIT * 2);
    }

    /// Whoever closes a connection with something unread resets it, and the answer may be lost.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_refusal_reaches_who_is_still_sending() {
        let address = serving(&CancellationToken::new()).await;
        let head = b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n";
        let request = [&head[..], &vec![b'x'; 2_000_000]].concat();
        let mut lost = Vec::new();
        for _ in 0..50 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&request[..100_000]).await.unwrap();
            // By now it is refused.
            sleep(Duration::from_millis(5)).await;
            let sent = stream.write_all(&request[100_000..]).await;
            let mut answer = Vec::new();
            let read = stream.read_to_end(&mut answer).await;
            if sent.is_err() || read.is_err() || !answer.starts_with(b"HTTP/1.1 404") {
                lost.push((sent, read));
            }
        }
        assert!(lost.is_empty(), "{}: {:?}", lost.len(), lost[0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_is_kept_as_long_as_was_said() {
        let address = serving(&CancellationToken::new()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut some = [0; 256];
        for _ in 0..3 {
            stream.write_all(request).await.unwrap();
            let length = stream.read(&mut some).await.unwrap();
            assert!(some[..length].starts_with(b"HTTP/1.1 200"));
            sleep(KEPT - Duration::from_secs(1)).await;
        }
        let waited = Instant::now();
        assert_eq!(stream.read(&mut some).await.unwrap(), 0);
        assert!(waited.elapsed() < Duration::from_secs(2));
    }

    /// What comes back on one connection, until it ends.
    async fn answers(requests: &str) -> String {
        let address = serving(&CancellationToken::new()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(requests.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await.unwrap();
        String::from_utf8(seen).unwrap()
    }

    #[tokio::test]
    async fn a_request_with_two_lengths_is_refused_and_ends_its_connection() {
        let get = "GET / HTTP/1.1\r\nhost: x\r\n";
        let chunks = "0\r\n\r\n";
        for lengths in [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
            "content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
        ] {
            // The first of the connection, and one that comes together with the one before it.
            let alone = answers(&format!("{get}{lengths}{get}\r\n")).await;
            assert!(alone.starts_with("HTTP/1.1 400"), "{lengths}: {alone}");
            assert_eq!(alone.matches("HTTP/1.1").count(), 1, "{lengths}: {alone}");
            let after = answers(&format!("{get}\r\n{get}{lengths}{get}\r\n")).await;
            assert!(after.starts_with("HTTP/1.1 200"), "{lengths}: {after}");
            assert!(after.contains("hereHTTP/1.1 400"), "{lengths}: {after}");
            assert_eq!(after.matches("HTTP/1.1").count(), 2, "{lengths}: {after}");
        }
        let chunked = format!("{get}transfer-encoding: chunked\r\n\r\n{chunks}{get}\r\n");
        let chunked = answers(&chunked).await;
        assert!(chunked.starts_with("HTTP/1.1 200"), "{chunked}");
        assert!(chunked.contains("connection: close"), "{chunked}");
        assert_eq!(chunked.matches("HTTP/1.1").count(), 1, "{chunked}");
    }

    #[tokio::test]
    async fn a_handler_may_upgrade_a_connection() {
        let echo = async |mut request: Request| {
            let upgraded = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
                tokio::io::copy(&mut read, &mut write).await.unwrap();
            });
            let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "echo")];
            (StatusCode::SWITCHING_PROTOCOLS, headers)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(echo));
        tokio::spawn(serve_for(listener, router, KEPT, pending()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let mut some = [0; 256];
        let length = stream.read(&mut some).await.unwrap();
        assert!(some[..length].starts_with(b"HTTP/1.1 101"));
        stream.write_all(b"there and back").await.unwrap();
        stream.read_exact(&mut some[..14]).await.unwrap();
        assert_eq!(&some[..14], b"there and back");
    }

    #[tokio::test]
    async fn an_idle_connection_ends_when_the_peer_stops() {
        let stop = CancellationToken::new();
        let address = serving(&stop).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut some = [0; 256];
        let length = stream.read(&mut some).await.unwrap();
        assert!(some[..length].starts_with(b"HTTP/1.1 200"));
        stop.cancel();
        assert_eq!(stream.read(&mut some).await.unwrap(), 0);
        assert!(TcpStream::connect(address).await.is_err());
    }
}
