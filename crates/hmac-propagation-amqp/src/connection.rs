//! One connection to the broker, from its handshake to its loss.

use std::net::Shutdown;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_compat::CompatExt;
use futures_util::StreamExt;
use hmac_propagation::broker::QueueDepth;
use lapin::tcp::TLSConfig;
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties, Event};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::channel;
use crate::failure::{Failure, answer};
use crate::options::AmqpOptions;
use crate::publish::Publishers;
use crate::status::StatusTracker;

/// How often the connection's state is checked, should its end not have been reported.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// A connection that finished its handshake. Its epoch tells it from earlier ones.
pub(crate) struct LiveConnection {
    pub(crate) epoch: u64,
    pub(crate) publishers: Publishers,
    connection: Arc<Connection>,
    declarer: tokio::sync::Mutex<Option<Channel>>,
    socket: Socket,
    operation_timeout: Duration,
}

impl LiveConnection {
    /// Connects within the options' bound.
    pub(crate) async fn open(options: &AmqpOptions, epoch: u64) -> Result<Self, Failure> {
        let deadline = Instant::now() + options.connect_timeout;
        let connecting = TcpStream::connect((options.host.as_str(), options.port));
        let (stream, socket) = match timeout_at(deadline, connecting).await {
            Ok(stream) => stream
                .and_then(Socket::beside)
                .map_err(Failure::unavailable)?,
            Err(_) => {
                return Err(Failure::unavailable(
                    "no answer to the connection attempt in time",
                ));
            }
        };
        let connection = timeout_at(deadline, handshake(options, stream)).await;
        let connection = connection
            .map_err(|_| Failure::unavailable("no end of the broker's handshake in time"))??;
        let connection = Arc::new(connection);
        Ok(Self {
            epoch,
            publishers: Publishers::new(options, Arc::clone(&connection)),
            connection,
            declarer: tokio::sync::Mutex::new(None),
            socket,
            operation_timeout: options.operation_timeout,
        })
    }

    /// Opens a channel.
    pub(crate) async fn channel(&self) -> Result<Channel, Failure> {
        channel::open(&self.connection, self.operation_timeout).await
    }

    /// Makes sure of another peer's queue, on a channel that nothing else uses: a refusal closes the channel it came on.
    /// To look whether there is one takes no right at the broker; only where there is none is it declared.
    pub(crate) async fn declare(&self, queue: &str) -> Result<(), Failure> {
        let locking = tokio::time::timeout(self.operation_timeout, self.declarer.lock());
        let mut declarer = locking
            .await
            .map_err(|_| Failure::unavailable("earlier declarations got no answer in time"))?;
        let channel = match declarer.take() {
            Some(channel) => channel,
            None => self.channel().await?,
        };
        let channel = match channel::look(&channel, queue, self.operation_timeout).await? {
            Some(_) => channel,
            None => {
                let channel = self.channel().await?;
                channel::declare(&channel, queue, self.operation_timeout).await?;
                channel
            }
        };
        *declarer = Some(channel);
        Ok(())
    }

    /// Asks for a queue's depth on a channel of its own: the broker closes the channel when there is no such queue.
    pub(crate) async fn depth(&self, queue: &str) -> Result<Option<QueueDepth>, Failure> {
        let channel = self.channel().await?;
        let Some(queue) = channel::look(&channel, queue, self.operation_timeout).await? else {
            return Ok(None);
        };
        let depth = QueueDepth {
            messages: u64::from(queue.message_count()),
            consumers: u64::from(queue.consumer_count()),
        };
        // The answer is there; a channel that does not close goes with the connection.
        let _ = answer(self.operation_timeout, channel.close(200, "asked".into())).await;
        Ok(Some(depth))
    }

    /// Waits for the end of the connection, reports blocking to `status` meanwhile, and returns the reason.
    pub(crate) async fn lost(&self, status: &StatusTracker) -> String {
        let mut events = std::pin::pin!(self.connection.events_listener());
        loop {
            let event = tokio::time::timeout(CHECK_EVERY, events.next()).await;
            let alive = self.connection.status().connected();
            match event {
                Ok(Some(Event::Error(error))) if !alive => {
                    return format!("connection lost: {error}");
                }
                Ok(Some(Event::ConnectionBlocked(reason))) => {
                    status.blocked(Some(format!("blocked by the broker: {reason}")));
                }
                Ok(Some(Event::ConnectionUnblocked)) => status.blocked(None),
                Ok(None) => return "connection lost".to_owned(),
                _ if !alive => return "connection lost".to_owned(),
                _ => {}
            }
        }
    }

    /// Says goodbye within the bound of an operation, then shuts the socket down.
    pub(crate) async fn close(&self) {
        let _ = answer(
            self.operation_timeout,
            self.connection.close(200, "closed".into()),
        )
        .await;
        self.socket.shutdown();
    }

    /// Ends whatever may be left of a lost connection, its thread included.
    pub(crate) fn kill(&self) {
        self.socket.shutdown();
    }
}

async fn handshake(options: &AmqpOptions, stream: TcpStream) -> Result<Connection, Failure> {
    let tls = options.tls;
    let stream = Mutex::new(Some(stream));
    let connect = async move |uri: AMQPUri, _| {
        silence_this_thread();
        let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        let stream =
            stream.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected))?;
        let stream = AsyncTcpStream::Plain(stream.compat());
        match tls {
            true => Ok(stream
                .into_tls(&uri.authority.host, TLSConfig::default())
                .await?),
            false => Ok(stream),
        }
    };
    let properties =
        ConnectionProperties::default().with_connection_name(options.name.as_str().into());
    let runtime = lapin::runtime::default_runtime()?;
    Ok(Connection::connector(options.uri(), runtime, connect, properties).await?)
}

/// Turns logging off for the calling thread, which is lapin's own for input and output: at level trace it prints the frame
/// that bears the password, at level warn the bodies that the broker returns.
fn silence_this_thread() {
    std::mem::forget(tracing::dispatcher::set_default(&tracing::Dispatch::none()));
}

/// A second handle of the connection's socket. Shutting it down wakes and ends lapin's thread, which would wait for ever for a
/// broker that accepts a connection and says nothing.
struct Socket(std::net::TcpStream);

impl Socket {
    fn beside(stream: TcpStream) -> std::io::Result<(TcpStream, Self)> {
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let socket = Self(stream.try_clone()?);
        Ok((TcpStream::from_std(stream)?, socket))
    }

    fn shutdown(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.shutdown();
    }
}
