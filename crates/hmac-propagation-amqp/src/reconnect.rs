//! What happens when RabbitMQ goes away.
//!
//! One owner task holds the connection. It connects, waits for the loss, and connects again, for ever, with pauses that double
//! from 50 ms to 5 s (with jitter) and start over once a connection has lasted. Everybody else reads a [`Link`]: publishers
//! and declarations take the connection that is up or fail at once; each subscription has a task of its own
//! (`consume`) that builds channel, queue and consumer again whenever it loses them or the connection changes.

use std::sync::Arc;
use std::time::Duration;

use auth_base::backoff::Backoff;
use auth_base::random::SystemRandom;
use hmac_propagation::broker::BrokerError;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::connection::LiveConnection;
use crate::failure::Failure;
use crate::options::AmqpOptions;
use crate::status::StatusTracker;

/// The connection as everybody but its owner sees it.
#[derive(Clone)]
pub(crate) enum Link {
    /// The first attempt, or the first one after a loss, is under way: worth waiting for.
    Connecting,
    Up(Arc<LiveConnection>),
    /// The last attempt failed; the next one follows.
    Down(Failure),
    Closed,
}

/// Keeps a connection up until `closing` is cancelled.
pub(crate) async fn keep_connected(
    options: Arc<AmqpOptions>,
    status: Arc<StatusTracker>,
    link: watch::Sender<Link>,
    closing: CancellationToken,
) {
    let backoff = Backoff::new(options.backoff_min, options.backoff_max);
    let (mut epoch, mut failures) = (0, 0_u32);
    while !closing.is_cancelled() {
        let attempt = tokio::select! {
            attempt = LiveConnection::open(&options, epoch + 1) => attempt,
            () = closing.cancelled() => break,
        };
        match attempt {
            Ok(live) => {
                epoch += 1;
                let since = Instant::now();
                serve(Arc::new(live), &status, &link, &closing).await;
                if since.elapsed() > backoff.longest {
                    failures = 0;
                }
            }
            Err(failure) => {
                let reason = failure.reason();
                tracing::warn!(%reason, "cannot connect to the broker");
                status.disconnected(&reason);
                link.send_replace(Link::Down(failure));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.jittered(failures, &SystemRandom)) => {}
            () = closing.cancelled() => {}
        }
        failures = failures.saturating_add(1);
    }
    status.disconnected("closed");
    link.send_replace(Link::Closed);
}

/// Offers a connection until it is lost or to be closed.
async fn serve(
    live: Arc<LiveConnection>,
    status: &StatusTracker,
    link: &watch::Sender<Link>,
    closing: &CancellationToken,
) {
    tracing::info!(epoch = live.epoch, "connected to the broker");
    status.connected(live.epoch);
    link.send_replace(Link::Up(Arc::clone(&live)));
    let lost = tokio::select! {
        reason = live.lost(status) => Some(reason),
        () = closing.cancelled() => None,
    };
    match lost {
        Some(reason) => {
            tracing::warn!(epoch = live.epoch, %reason, "lost the broker");
            status.disconnected(&reason);
            link.send_replace(Link::Connecting);
            live.kill();
        }
        None => live.close().await,
    }
}

/// Takes the connection that is up; waits for it, `bound` at most, while an attempt is under way that may well succeed.
pub(crate) async fn connection(
    link: &watch::Receiver<Link>,
    bound: Duration,
) -> Result<Arc<LiveConnection>, BrokerError> {
    let mut link = link.clone();
    let waiting = link.wait_for(|link| !matches!(link, Link::Connecting));
    let Ok(known) = tokio::time::timeout(bound, waiting).await else {
        return Err(BrokerError::Unavailable("still connecting".into()));
    };
    match known.map(|link| link.clone()) {
        Ok(Link::Up(live)) => Ok(live),
        Ok(Link::Down(failure)) => Err(failure.into()),
        Ok(Link::Connecting) => Err(BrokerError::Unavailable("still connecting".into())),
        Ok(Link::Closed) | Err(_) => Err(BrokerError::Closed),
    }
}
