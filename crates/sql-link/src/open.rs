//! How the two databases are opened.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use auth_base::server_url::{ServerKind, ServerUrl, check_sqlite};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, SqlitePool};

use crate::connections::Connections;
use crate::dialect::Isolation;
use crate::error::SqlError;
use crate::file_lease::FileLease;
use crate::options::SqlOptions;
use crate::session::Connection;

/// Statements that a connection keeps prepared.
const PREPARED: usize = 100;

/// SQLite waits no longer for somebody else's lock.
const LONGEST_BUSY_WAIT: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub(crate) enum Pool {
    MariaDb(Arc<Connections>),
    Sqlite {
        pool: SqlitePool,
        /// Keeps a database in memory alive while no connection of the pool is open.
        #[expect(dead_code, reason = "held, never read")]
        anchor: Option<SqlitePool>,
    },
}

impl Pool {
    pub(crate) async fn acquire(&self) -> Result<Connection, SqlError> {
        Ok(match self {
            Self::MariaDb(pool) => Connection::MariaDb(pool.acquire().await?),
            Self::Sqlite { pool, .. } => Connection::Sqlite(FileLease::new(pool.acquire().await?)),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::MariaDb(pool) => pool.close().await,
            Self::Sqlite { pool, .. } => pool.close().await,
        }
    }
}

pub(crate) fn check(url: &str) -> Result<(), SqlError> {
    match is_sqlite(url) {
        true => check_sqlite(url).map_err(SqlError::Url),
        false => ServerUrl::parse(url, ServerKind::MySql)
            .map(drop)
            .map_err(SqlError::Url),
    }
}

fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

pub(crate) async fn open(
    url: &str,
    options: &SqlOptions,
    isolation: Isolation,
) -> Result<Pool, SqlError> {
    match is_sqlite(url) {
        true => open_sqlite(url, options).await,
        false => open_mariadb(url, options, isolation).await,
    }
}

async fn open_mariadb(
    url: &str,
    options: &SqlOptions,
    isolation: Isolation,
) -> Result<Pool, SqlError> {
    let server = ServerUrl::parse(url, ServerKind::MySql).map_err(SqlError::Url)?;
    // The client library looks an IPv6 address up with its brackets, which is no name.
    let connect = MySqlConnectOptions::from_str(url)?
        .host(&server.host)
        .statement_cache_capacity(PREPARED)
        .disable_statement_logging();
    let connections = Connections::new(connect, isolation, options);
    // An address that is wrong is told of at once.
    connections.acquire().await?.give_back();
    Ok(Pool::MariaDb(connections))
}

async fn open_sqlite(url: &str, options: &SqlOptions) -> Result<Pool, SqlError> {
    check_sqlite(url).map_err(SqlError::Url)?;
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let connect = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(LONGEST_BUSY_WAIT.min(options.timeout))
        .statement_cache_capacity(PREPARED)
        .disable_statement_logging();
    let anchor = if in_memory {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1);
        let pool = pool.idle_timeout(None).max_lifetime(None);
        Some(pool.connect_with(connect.clone()).await?)
    } else {
        None
    };
    let most = match in_memory {
        true => 1,
        false => options.max_connections.max(1),
    };
    let pool = SqlitePoolOptions::new()
        .max_connections(most)
        .acquire_timeout(options.timeout)
        .test_before_acquire(false)
        .connect_with(connect)
        .await?;
    Ok(Pool::Sqlite { pool, anchor })
}
