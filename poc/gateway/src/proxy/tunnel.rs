//! A WebSocket between a caller and a peer: bytes in both directions, unread.

use std::io;
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Both sides have agreed within this time.
const AGREE_LIMIT: Duration = Duration::from_secs(5);

/// What is under way in each direction, in bytes.
const BUFFER: usize = 16 * 1024;

/// Joins both sides until both have ended, `ended` is over, or neither says anything for `idle`.
pub(super) async fn join(
    caller: OnUpgrade,
    peer: OnUpgrade,
    idle: Duration,
    ended: impl Future<Output = ()>,
) {
    let agreeing = async { tokio::try_join!(caller, peer) };
    let (caller, peer) = match timeout(AGREE_LIMIT, agreeing).await {
        Ok(Ok(both)) => both,
        Ok(Err(error)) => return tracing::debug!(%error, "a connection was not upgraded"),
        Err(_) => return tracing::debug!("a connection was not upgraded in time"),
    };
    tokio::select! {
        () = relay(caller, peer, idle) => {}
        () = ended => {}
    }
}

async fn relay(caller: Upgraded, peer: Upgraded, idle: Duration) {
    let (from_caller, to_caller) = split(TokioIo::new(caller));
    let (from_peer, to_peer) = split(TokioIo::new(peer));
    let heard = Notify::new();
    let both = async {
        tokio::try_join!(
            pump(from_caller, to_peer, &heard),
            pump(from_peer, to_caller, &heard)
        )
    };
    let silence = async { while timeout(idle, heard.notified()).await.is_ok() {} };
    tokio::select! {
        ended = both => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a WebSocket ended early");
            }
        }
        () = silence => tracing::debug!("a WebSocket on which nothing is said ends"),
    }
}

type Side = TokioIo<Upgraded>;

async fn pump(mut from: ReadHalf<Side>, mut to: WriteHalf<Side>, heard: &Notify) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = from.read(&mut buffer).await?;
        heard.notify_one();
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
        heard.notify_one();
    }
}
