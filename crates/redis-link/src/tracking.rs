//! A connection of its own on which the server announces every write under some prefixes (client-side tracking, RESP3).
//!
//! Whoever listens is told when the announcements begin and when they end; in between none is lost. A connection that died without
//! a word is found by a heartbeat.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth_base::backoff::Backoff;
use redis::aio::MultiplexedConnection;
use redis::{PushKind, RedisError, Value};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::failure::loggable;
use crate::link::RedisLink;
use crate::script::text;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));

/// Hears the announcements. Called where the connection is read: it must not block.
pub trait Listener: Send + Sync + 'static {
    /// Announcements come from now on, or do not any more.
    fn set_live(&self, live: bool);

    /// Keys were written; an empty list means all of them (a flush).
    fn announced(&self, keys: &[&str]);
}

/// What is tracked, and how.
pub struct Tracked {
    /// The server.
    pub link: RedisLink,
    /// What the keys begin with.
    pub prefixes: Vec<String>,
    /// How often the connection is asked whether it lives.
    pub heartbeat: Duration,
    /// Who is worse off while nothing is tracked, for the log.
    pub purpose: &'static str,
}

/// Tracking under way; it ends when this is dropped.
pub struct Tracker(JoinHandle<()>);

impl Drop for Tracker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Tracker {
    /// Tracks for ever on the current tokio runtime: connects, asks for announcements, and stays until the connection ends.
    pub fn spawn(tracked: Tracked, listener: Arc<impl Listener>) -> Self {
        Self(tokio::spawn(async move {
            let mut failures = 0_u32;
            let mut told = None;
            loop {
                let ended = tracked.once(&listener).await;
                listener.set_live(false);
                match ended {
                    Ok(()) => (failures, told) = (0, None),
                    Err(error) => {
                        let error = Some(loggable(&error));
                        // Said once: a server that refuses goes on to refuse.
                        if told != error {
                            tracing::warn!(
                                error,
                                purpose = tracked.purpose,
                                "redis does not track"
                            );
                            told = error;
                        }
                    }
                }
                sleep(BACKOFF.pause(failures)).await;
                failures = failures.saturating_add(1);
            }
        }))
    }
}

/// The end of one tracking connection.
#[derive(Default)]
struct End {
    reached: AtomicBool,
    wake: Notify,
}

impl Tracked {
    /// `Ok`: tracked, until the connection ended.
    async fn once(&self, listener: &Arc<impl Listener>) -> Result<(), RedisError> {
        let end = Arc::new(End::default());
        let connection = {
            let (listener, end) = (Arc::clone(listener), Arc::clone(&end));
            self.link
                .dial(move |push| match push.kind {
                    PushKind::Invalidate => listener.announced(&keys(&push.data)),
                    // Not when it was given up before: another connection may be live by now.
                    PushKind::Disconnection if !end.reached.swap(true, Ordering::SeqCst) => {
                        listener.set_live(false);
                        end.wake.notify_one();
                    }
                    _ => {}
                })
                .await?
        };
        let ended = self.watch(connection, &**listener, &end).await;
        end.reached.store(true, Ordering::SeqCst);
        ended
    }

    async fn watch(
        &self,
        mut connection: MultiplexedConnection,
        listener: &impl Listener,
        end: &End,
    ) -> Result<(), RedisError> {
        self.ask_for_announcements(&mut connection).await?;
        listener.set_live(true);
        loop {
            // Looked at after it was called live as well: it may have ended just before.
            if end.reached.load(Ordering::SeqCst) {
                return Ok(());
            }
            if timeout(self.heartbeat, end.wake.notified()).await.is_ok() {
                return Ok(());
            }
            let ping = redis::cmd("PING");
            match timeout(self.heartbeat, ping.exec_async(&mut connection)).await {
                Ok(answer) => answer?,
                Err(_) => return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
            }
        }
    }

    async fn ask_for_announcements(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), RedisError> {
        let mut command = redis::cmd("CLIENT");
        command.arg("TRACKING").arg("ON").arg("BCAST");
        for prefix in &self.prefixes {
            command.arg("PREFIX").arg(prefix);
        }
        command.exec_async(connection).await
    }
}

/// The keys an announcement names; none for a flush. A key that is no text is left out, and the others stand for it.
fn keys(data: &[Value]) -> Vec<&str> {
    let Some(Value::Array(keys)) = data.first() else {
        return Vec::new();
    };
    keys.iter().filter_map(text).collect()
}
