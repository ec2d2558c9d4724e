//! One multiplexed connection to Redis that comes back by itself.
//!
//! The connection is made by the first caller that needs it and shared by all. When it breaks (the driver sees the end of
//! the stream even while nobody is asking), times out, or turns out to lead to a read-only replica, it is dropped, and the
//! next caller makes a new one. While Redis is away, callers are refused at once between attempts, which grow apart from
//! 50 ms to 500 ms: nobody waits in a queue for a server that is not there.
//!
//! The client library's own `ConnectionManager` is not used: it never tries again after a failure that is not an I/O error
//! (a wrong password mended later, `max number of clients reached`), and keeps a connection that only ever times out.

use std::sync::{Arc, Weak};
use std::time::Duration;

use auth_base::backoff::Backoff;
use auth_base::server_url::{InvalidServerUrl, ServerKind, ServerUrl};
use auth_base::store_error::StoreError;
use parking_lot::RwLock;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, InfoDict, IntoConnectionInfo,
    Pipeline, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, RedisError, RedisResult,
    ServerErrorKind, Value,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::failure::{loggable, store_error};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(500));
/// Requests that may wait to be written; more callers wait for room, each within its timeout.
const SEND_BUFFER: usize = 1024;

/// The URL is not one of a Redis server, or would not be used as it is written. The URL itself is left out: it may hold a
/// password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the URL of Redis (redis://[user:password@]host[:port][/database], rediss:// for TLS) {0}")]
pub struct InvalidRedisUrl(#[from] InvalidServerUrl);

/// Bounds of a [`RedisLink`].
#[derive(Clone, Copy, Debug)]
pub struct LinkOptions {
    /// How long making a connection may take, the handshake included (1 s).
    pub connect_timeout: Duration,
    /// How long an answer may take (1 s). A connection that exceeds it is replaced.
    pub response_timeout: Duration,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
        }
    }
}

/// A shared connection. Cheap to clone; all clones use the same socket.
#[derive(Clone)]
pub struct RedisLink(Arc<Shared>);

struct Shared {
    client: Client,
    options: LinkOptions,
    slot: RwLock<Slot>,
    /// Held while somebody connects, so that a crowd makes one attempt and not a thousand.
    dialer: Mutex<Dialer>,
}

#[derive(Default)]
struct Slot {
    /// Counts connections, so that a failure drops the connection it happened on and never a newer one.
    generation: u64,
    connection: Option<MultiplexedConnection>,
}

#[derive(Default)]
struct Dialer {
    failure: Option<Failure>,
}

struct Failure {
    error: RedisError,
    /// How many attempts have failed before this one.
    before: u32,
    until: Instant,
}

impl RedisLink {
    /// Opens a link with the default bounds. Connects when it is first used.
    ///
    /// # Errors
    /// [`InvalidRedisUrl`].
    pub fn open(url: &str) -> Result<Self, InvalidRedisUrl> {
        Self::with_options(url, LinkOptions::default())
    }

    /// Opens a link. Connects when it is first used.
    ///
    /// # Errors
    /// [`InvalidRedisUrl`].
    pub fn with_options(url: &str, options: LinkOptions) -> Result<Self, InvalidRedisUrl> {
        let url = ServerUrl::parse(url, ServerKind::Redis)?;
        let client = connection_info(&url)
            .and_then(Client::open)
            .map_err(|_| InvalidServerUrl::of_library())?;
        Ok(Self(Arc::new(Shared {
            client,
            options,
            slot: RwLock::default(),
            dialer: Mutex::default(),
        })))
    }

    /// Asks whether Redis answers, for a readiness probe.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("PING");
        let answers = self.query(&pipeline).await?;
        answers
            .into_iter()
            .next()
            .map_or(Ok(()), |answer| answer.map(drop))
    }

    /// Reads the server's own name for its present run, which changes with every start (`INFO server`). `None` where the
    /// user may not ask, or the server does not say.
    ///
    /// # Errors
    /// [`StoreError`] when Redis does not answer.
    pub async fn run_id(&self) -> Result<Option<String>, StoreError> {
        let info = self.info("server").await?;
        Ok(info.and_then(|info| info.get("run_id")))
    }

    /// Tells by which policy the server throws keys away when its memory is full (`INFO memory`). `None` where it keeps
    /// them all, or the user may not ask.
    ///
    /// # Errors
    /// [`StoreError`] when Redis does not answer.
    pub async fn evicts_by(&self) -> Result<Option<String>, StoreError> {
        let info = self.info("memory").await?;
        let policy = info.filter(|info| info.get("maxmemory").is_some_and(|bytes: u64| bytes > 0));
        let policy: Option<String> = policy.and_then(|info| info.get("maxmemory_policy"));
        Ok(policy.filter(|policy| policy != "noeviction"))
    }

    async fn info(&self, section: &str) -> Result<Option<InfoDict>, StoreError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("INFO").arg(section);
        let answers = self.query(&pipeline).await?;
        let answer = answers.into_iter().next().and_then(Result::ok);
        Ok(answer.and_then(|answer| redis::from_redis_value(answer).ok()))
    }

    /// Sends `pipeline` in one round trip and answers one result for each command.
    ///
    /// # Errors
    /// [`StoreError`] when the connection failed: then it is unknown which commands were carried out.
    pub async fn query(
        &self,
        pipeline: &Pipeline,
    ) -> Result<Vec<Result<Value, StoreError>>, StoreError> {
        let answers = self.raw_query(pipeline).await.map_err(store_error)?;
        Ok(answers
            .into_iter()
            .map(|answer| answer.extract_error().map_err(store_error))
            .collect())
    }

    /// As [`Self::query`], with the server's errors among the values.
    pub(crate) async fn raw_query(&self, pipeline: &Pipeline) -> Result<Vec<Value>, RedisError> {
        let (generation, mut connection) = self.connection().await?;
        let count = pipeline.len();
        let result = connection.send_packed_commands(pipeline, 0, count).await;
        let spent = match &result {
            Ok(answers) => answers.iter().any(is_read_only),
            Err(_) => true,
        };
        if spent {
            self.0.drop_connection(generation);
        }
        result
    }

    /// Makes a connection of its own beside the shared one; `on_push` is called for everything the server pushes and once
    /// for its end, and must not block.
    pub(crate) async fn dial(
        &self,
        on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, RedisError> {
        self.0.dial(on_push).await
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection), RedisError> {
        if let Some(connection) = self.0.current() {
            return Ok(connection);
        }
        let mut dialer = self.0.dialer.lock().await;
        if let Some(connection) = self.0.current() {
            return Ok(connection);
        }
        if let Some(failure) = dialer.failure.as_ref().filter(|f| Instant::now() < f.until) {
            return Err(failure.error.clone());
        }
        match self.0.connect().await {
            Ok(connection) => {
                dialer.failure = None;
                Ok(connection)
            }
            Err(error) => {
                let failure = dialer.failure.as_ref();
                let before = failure.map_or(0, |failure| failure.before.saturating_add(1));
                let pause = BACKOFF.pause(before);
                tracing::warn!(
                    error = loggable(&error),
                    pause_ms = pause.as_millis(),
                    "cannot connect to redis"
                );
                dialer.failure = Some(Failure {
                    error: error.clone(),
                    before,
                    until: Instant::now() + pause,
                });
                Err(error)
            }
        }
    }
}

impl Shared {
    fn current(&self) -> Option<(u64, MultiplexedConnection)> {
        let slot = self.slot.read();
        Some((slot.generation, slot.connection.clone()?))
    }

    fn drop_connection(&self, generation: u64) {
        let mut slot = self.slot.write();
        if slot.generation == generation {
            slot.connection = None;
        }
    }

    async fn connect(self: &Arc<Self>) -> Result<(u64, MultiplexedConnection), RedisError> {
        let generation = {
            let mut slot = self.slot.write();
            slot.generation += 1;
            slot.generation
        };
        let shared: Weak<Self> = Arc::downgrade(self);
        let connection = self
            .dial(move |push| {
                if push.kind == PushKind::Disconnection
                    && let Some(shared) = shared.upgrade()
                {
                    shared.drop_connection(generation);
                }
            })
            .await?;
        let mut slot = self.slot.write();
        slot.connection = Some(connection.clone());
        Ok((generation, connection))
    }

    async fn dial(
        &self,
        on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_timeout))
            .set_response_timeout(Some(self.options.response_timeout))
            .set_pipeline_buffer_size(SEND_BUFFER)
            .set_push_sender(move |push| {
                on_push(push);
                Ok::<(), ()>(())
            });
        timeout(
            self.options.connect_timeout,
            self.client
                .get_multiplexed_async_connection_with_config(&config),
        )
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }
}

fn connection_info(url: &ServerUrl) -> RedisResult<ConnectionInfo> {
    let (host, port) = (url.host.clone(), url.port.unwrap_or(6379));
    let address = match url.tls {
        true => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        },
        false => ConnectionAddr::Tcp(host, port),
    };
    // RESP3: the server's end of the connection is noticed while idle, and invalidations can be pushed.
    let mut redis = RedisConnectionInfo::default()
        .set_db(url.database().unwrap_or_default().into())
        .set_protocol(ProtocolVersion::RESP3);
    if let Some(user) = &url.user {
        redis = redis.set_username(user);
    }
    if let Some(password) = &url.password {
        redis = redis.set_password(password.expose());
    }
    let info = address.into_connection_info()?;
    let tcp = TcpSettings::default().set_nodelay(true);
    Ok(info.set_redis_settings(redis).set_tcp_settings(tcp))
}

/// A primary that became a replica keeps its connections: the next one may lead to the new primary.
fn is_read_only(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::ReadOnly))
}
