//! The two databases behind one door: units of work, retried and bounded in time.

mod connections;
mod session;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_base::backoff::Backoff;
use auth_base::server_url::{InvalidServerUrl, ServerKind, ServerUrl, check_sqlite};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, SqlitePool};

use crate::database::connections::{Connections, FileLease};
use crate::database::session::Connection;
use crate::dialect::Dialect;
use crate::error::{Remedy, SqlError};
use crate::options::SqlOptions;

pub(crate) use session::{JsonRow, Mode, Row, Session, Value};

/// A connection lost before the commit is replaced this often within one unit of work.
const RECONNECTS: u32 = 2;
/// Between the attempts of a unit that met somebody else's write.
const CONFLICT: Backoff = Backoff::new(Duration::from_millis(2), Duration::from_millis(128));

/// One unit of work: everything in it happens, or nothing. It may be run several times and must not keep state in between.
pub(crate) trait Work: Sync {
    type Output: Send;
    const MODE: Mode = Mode::Write;

    fn run(
        &self,
        session: &mut Session,
    ) -> impl Future<Output = Result<Self::Output, SqlError>> + Send;
}

#[derive(Clone)]
enum Pool {
    MariaDb(Arc<Connections>),
    Sqlite {
        pool: SqlitePool,
        /// Keeps a database in memory alive while no connection of the pool is open.
        #[expect(dead_code, reason = "held, never read")]
        anchor: Option<SqlitePool>,
    },
}

impl Pool {
    async fn acquire(&self) -> Result<Connection, SqlError> {
        Ok(match self {
            Self::MariaDb(pool) => Connection::MariaDb(pool.acquire().await?),
            Self::Sqlite { pool, .. } => Connection::Sqlite(FileLease::new(pool.acquire().await?)),
        })
    }
}

/// A pool and its bounds.
#[derive(Clone)]
pub(crate) struct Database {
    pool: Pool,
    options: SqlOptions,
    statements: Arc<AtomicU64>,
}

impl Database {
    pub(crate) async fn connect(url: &str, options: SqlOptions) -> Result<Self, SqlError> {
        let timeout = options.timeout;
        let opening = async {
            let mut attempt = 0;
            loop {
                attempt += 1;
                match open(url, &options).await {
                    // Two replicas that open a new SQLite file at once: only one can turn its journal on.
                    Err(error)
                        if error.remedy() == Remedy::Conflict && attempt < options.max_attempts =>
                    {
                        tokio::time::sleep(CONFLICT.jittered(attempt - 1, &*options.random)).await;
                    }
                    opened => return opened,
                }
            }
        };
        let pool = tokio::time::timeout(timeout, opening)
            .await
            .map_err(|_| SqlError::Timeout(timeout))??;
        Ok(Self {
            pool,
            options,
            statements: Arc::default(),
        })
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.pool {
            Pool::MariaDb(_) => Dialect::MariaDb,
            Pool::Sqlite { .. } => Dialect::Sqlite,
        }
    }

    /// How many statements were sent so far, transaction control included: each is one round trip.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub(crate) async fn close(&self) {
        let closing = async {
            match &self.pool {
                Pool::MariaDb(pool) => pool.close().await,
                Pool::Sqlite { pool, .. } => pool.close().await,
            }
        };
        if tokio::time::timeout(self.options.timeout, closing)
            .await
            .is_err()
        {
            tracing::warn!("the database connections did not close in time");
        }
    }

    /// Runs a unit of work, again on a write conflict or a lost connection, within the timeout.
    pub(crate) async fn run<W: Work>(&self, work: &W) -> Result<W::Output, SqlError> {
        let timeout = self.options.timeout;
        let outcome = tokio::time::timeout(timeout, self.run_with_retries(work)).await;
        outcome.unwrap_or_else(|_| {
            self.give_up();
            Err(SqlError::Timeout(timeout))
        })
    }

    /// Where one connection leads nowhere, the others do not either.
    fn give_up(&self) {
        if let Pool::MariaDb(connections) = &self.pool {
            connections.give_up();
        }
    }

    async fn run_with_retries<W: Work>(&self, work: &W) -> Result<W::Output, SqlError> {
        let mut reconnects = 0;
        let mut attempt = 0;
        loop {
            let error = match self.attempt(work).await {
                Ok(output) => return Ok(output),
                Err(Failure { error, may_repeat }) if may_repeat => error,
                Err(Failure { error, .. }) => return Err(error),
            };
            attempt += 1;
            match error.remedy() {
                Remedy::Conflict if attempt < self.options.max_attempts => {
                    tokio::time::sleep(CONFLICT.jittered(attempt - 1, &*self.options.random)).await;
                }
                Remedy::Reconnect if reconnects < RECONNECTS => {
                    self.give_up();
                    reconnects += 1;
                }
                _ => return Err(error),
            }
            tracing::debug!(attempt, error = %error, "running a unit of work again");
        }
    }

    async fn attempt<W: Work>(&self, work: &W) -> Result<W::Output, Failure> {
        let connection = self.pool.acquire().await.map_err(Failure::may_repeat)?;
        let mut session = Session::new(connection, Arc::clone(&self.statements));
        session.begin(W::MODE).await.map_err(Failure::may_repeat)?;
        match work.run(&mut session).await {
            Ok(output) => {
                session.commit(W::MODE).await.map_err(Failure::of_commit)?;
                session.release();
                Ok(output)
            }
            Err(error) => {
                let usable = error.remedy() != Remedy::Reconnect;
                if usable && session.rollback(W::MODE).await.is_ok() {
                    session.release();
                }
                Err(Failure::may_repeat(error))
            }
        }
    }
}

struct Failure {
    error: SqlError,
    may_repeat: bool,
}

impl Failure {
    fn may_repeat(error: SqlError) -> Self {
        Self {
            error,
            may_repeat: true,
        }
    }

    /// A refused commit was rolled back; one that got no answer may have happened.
    fn of_commit(error: SqlError) -> Self {
        Self {
            may_repeat: error.remedy() == Remedy::Conflict,
            error,
        }
    }
}

async fn open(url: &str, options: &SqlOptions) -> Result<Pool, SqlError> {
    if url.starts_with("sqlite:") {
        open_sqlite(url, options).await
    } else {
        open_mariadb(url, options).await
    }
}

fn unusable(error: InvalidServerUrl) -> sqlx::Error {
    sqlx::Error::Configuration(Box::new(error))
}

async fn open_mariadb(url: &str, options: &SqlOptions) -> Result<Pool, SqlError> {
    let server = ServerUrl::parse(url, ServerKind::MySql).map_err(unusable)?;
    // The client library looks an IPv6 address up with its brackets, which is no name.
    let connect = MySqlConnectOptions::from_str(url)?
        .host(&server.host)
        .statement_cache_capacity(100)
        .disable_statement_logging();
    let connections = Connections::new(connect, options.max_connections);
    // An address that is wrong is told of at once.
    connections.acquire().await?.give_back();
    Ok(Pool::MariaDb(connections))
}

async fn open_sqlite(url: &str, options: &SqlOptions) -> Result<Pool, SqlError> {
    check_sqlite(url).map_err(unusable)?;
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let connect = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(3).min(options.timeout))
        .statement_cache_capacity(100)
        .disable_statement_logging();
    let anchor = if in_memory {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1);
        Some(
            pool.idle_timeout(None)
                .max_lifetime(None)
                .connect_with(connect.clone())
                .await?,
        )
    } else {
        None
    };
    let pool = SqlitePoolOptions::new()
        .max_connections(if in_memory {
            1
        } else {
            options.max_connections.max(1)
        })
        .acquire_timeout(options.timeout)
        .test_before_acquire(false)
        .connect_with(connect)
        .await?;
    Ok(Pool::Sqlite { pool, anchor })
}
