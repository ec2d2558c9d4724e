//! The two databases behind one door: transactions, retried and bounded in time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use auth_base::backoff::Backoff;
use auth_base::random::SystemRandom;
use auth_base::server_url::{ServerKind, ServerUrl, check_sqlite};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow};
use sqlx::{ConnectOptions, Executor, MySql, MySqlPool, Row as _, Sqlite, SqlitePool, Transaction};

use crate::error::{Remedy, SqlError};
use crate::options::SqlOptions;

const MARIADB_SCHEMA: &str = include_str!("../migrations/mariadb/0001_schema.sql");
const SQLITE_SCHEMA: &str = include_str!("../migrations/sqlite/0001_schema.sql");

/// The version of the schema that this program knows.
const VERSION: i64 = 1;
const MARIADB_KNOWN: &str = "SELECT table_name FROM information_schema.tables \
     WHERE table_schema = DATABASE() AND table_name = 'kms_schema'";
const SQLITE_KNOWN: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'kms_schema'";
const NEWEST: &str = "SELECT MAX(version) FROM kms_schema";

/// Between the attempts of a transaction that met somebody else's write.
const CONFLICT: Backoff = Backoff::new(Duration::from_millis(2), Duration::from_millis(128));

/// A ring is read by two queries, which must see the same. A server may be configured otherwise.
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";

/// A lock is not waited for longer than this, and a transaction whose client is out of reach ends by itself.
const SESSION: &str = "SET SESSION innodb_lock_wait_timeout = 2, sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES') \
     /*M!100300 , idle_transaction_timeout = 5 */";

#[derive(Clone)]
enum Pool {
    MariaDb(MySqlPool),
    Sqlite(SqlitePool),
}

/// Connections to a schema that holds keys and rings. Clones share them.
#[derive(Clone)]
pub struct KmsDatabase {
    pool: Pool,
    options: SqlOptions,
}

/// One unit of work: everything in it happens, or nothing. It may be run several times and must not keep state in between.
pub(crate) trait Work: Sync {
    type Output: Send;

    /// Nothing is written: on SQLite, the writer's lock is not needed.
    const ONLY_READS: bool = false;

    fn run(
        &self,
        session: &mut Session<'_>,
    ) -> impl Future<Output = Result<Self::Output, SqlError>> + Send;
}

impl KmsDatabase {
    /// Tells whether `url` can be connected to at all, without connecting.
    ///
    /// # Errors
    /// [`SqlError::Url`].
    pub fn check_url(url: &str) -> Result<(), SqlError> {
        match url.starts_with("sqlite:") {
            true => check_sqlite(url).map_err(SqlError::Url),
            false => ServerUrl::parse(url, ServerKind::MySql)
                .map(drop)
                .map_err(SqlError::Url),
        }
    }

    /// Connects, and makes the tables where they are not there.
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn connect(url: &str, options: SqlOptions) -> Result<Self, SqlError> {
        let opening = async {
            let mut attempt = 0;
            // Two replicas that open a new file at once: one waits for the other.
            loop {
                attempt += 1;
                match open_schema(url, options).await {
                    Err(error)
                        if error.remedy() == Remedy::Conflict && attempt < options.max_attempts =>
                    {
                        tokio::time::sleep(CONFLICT.jittered(attempt - 1, &SystemRandom)).await;
                    }
                    outcome => return outcome,
                }
            }
        };
        let opened = tokio::time::timeout(options.timeout * 2, opening).await;
        opened.unwrap_or(Err(SqlError::Timeout(options.timeout * 2)))
    }

    /// Closes the connections. It returns within [`SqlOptions::timeout`].
    pub async fn close(&self) {
        let closing = async {
            match &self.pool {
                Pool::MariaDb(pool) => pool.close().await,
                Pool::Sqlite(pool) => pool.close().await,
            }
        };
        if tokio::time::timeout(self.options.timeout, closing)
            .await
            .is_err()
        {
            tracing::warn!("the connections of the key database did not close in time");
        }
    }

    /// Runs a unit of work in a transaction, again after a conflict, within the timeout.
    pub(crate) async fn run<W: Work>(&self, work: &W) -> Result<W::Output, SqlError> {
        let timeout = self.options.timeout;
        let outcome = tokio::time::timeout(timeout, self.run_with_retries(work)).await;
        outcome.unwrap_or(Err(SqlError::Timeout(timeout)))
    }

    async fn run_with_retries<W: Work>(&self, work: &W) -> Result<W::Output, SqlError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.attempt(work).await {
                Err(error)
                    if error.remedy() == Remedy::Conflict
                        && attempt < self.options.max_attempts =>
                {
                    tokio::time::sleep(CONFLICT.jittered(attempt - 1, &SystemRandom)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt<W: Work>(&self, work: &W) -> Result<W::Output, SqlError> {
        let mut session = match &self.pool {
            Pool::MariaDb(pool) => Session::MariaDb(pool.begin().await?),
            // Who only reads waits for no writer.
            Pool::Sqlite(pool) if W::ONLY_READS => Session::Sqlite(pool.begin().await?),
            // Who reads and then writes takes the writer's lock at once.
            Pool::Sqlite(pool) => Session::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
        };
        let output = work.run(&mut session).await?;
        session.commit().await?;
        Ok(output)
    }
}

/// Connects and makes the tables, unless a newer program made them.
async fn open_schema(url: &str, options: SqlOptions) -> Result<KmsDatabase, SqlError> {
    let pool = open(url, &options).await?;
    let database = KmsDatabase { pool, options };
    database.run(&NoNewer).await?;
    make_tables(&database.pool).await?;
    Ok(database)
}

async fn open(url: &str, options: &SqlOptions) -> Result<Pool, SqlError> {
    if url.starts_with("sqlite:") {
        return open_sqlite(url, options).await;
    }
    let server = ServerUrl::parse(url, ServerKind::MySql).map_err(SqlError::Url)?;
    // The client library looks an IPv6 address up with its brackets, which is no name.
    let connect = MySqlConnectOptions::from_str(url)?
        .host(&server.host)
        .disable_statement_logging();
    let pool = MySqlPoolOptions::new()
        .max_connections(options.max_connections.max(1))
        .acquire_timeout(options.timeout)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(ISOLATION).await?;
                connection.execute(SESSION).await.map(drop)
            })
        });
    Ok(Pool::MariaDb(pool.connect_with(connect).await?))
}

async fn open_sqlite(url: &str, options: &SqlOptions) -> Result<Pool, SqlError> {
    check_sqlite(url).map_err(SqlError::Url)?;
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let connect = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(options.timeout.min(Duration::from_secs(3)))
        .disable_statement_logging();
    let most = if in_memory {
        1
    } else {
        options.max_connections.max(1)
    };
    let pool = SqlitePoolOptions::new()
        .max_connections(most)
        .min_connections(u32::from(in_memory))
        .acquire_timeout(options.timeout);
    // A database in memory lives as long as its one connection.
    let pool = match in_memory {
        true => pool.idle_timeout(None).max_lifetime(None),
        false => pool,
    };
    Ok(Pool::Sqlite(pool.connect_with(connect).await?))
}

/// Refuses a schema that a newer program made.
struct NoNewer;

impl Work for NoNewer {
    type Output = ();

    const ONLY_READS: bool = true;

    async fn run(&self, session: &mut Session<'_>) -> Result<(), SqlError> {
        let known = match session {
            Session::MariaDb(_) => MARIADB_KNOWN,
            Session::Sqlite(_) => SQLITE_KNOWN,
        };
        if session.fetch(known, &[]).await?.is_empty() {
            return Ok(());
        }
        let rows = session.fetch(NEWEST, &[]).await?;
        let newest = rows.first().map(|row| row.optional_int(0)).transpose()?;
        match newest.flatten().unwrap_or_default() {
            ..=VERSION => Ok(()),
            newest => Err(SqlError::Newer(newest)),
        }
    }
}

/// Every statement can be run again, by several replicas at once.
async fn make_tables(pool: &Pool) -> Result<(), SqlError> {
    match pool {
        Pool::MariaDb(pool) => {
            pool.execute(sqlx::raw_sql(MARIADB_SCHEMA)).await?;
        }
        Pool::Sqlite(pool) => {
            pool.execute(sqlx::raw_sql(SQLITE_SCHEMA)).await?;
        }
    }
    Ok(())
}

/// A parameter.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Int(i64),
    OptionalInt(Option<i64>),
    Text(&'a str),
    OptionalText(Option<&'a str>),
}

/// A query with its parameters, for either driver.
macro_rules! bound {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match *value {
                Value::Int(value) => query.bind(value),
                Value::OptionalInt(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::OptionalText(value) => query.bind(value),
            };
        }
        query
    }};
}

/// A transaction. Dropped without a commit it is rolled back.
pub(crate) enum Session<'a> {
    MariaDb(Transaction<'a, MySql>),
    Sqlite(Transaction<'a, Sqlite>),
}

impl Session<'_> {
    async fn commit(self) -> Result<(), SqlError> {
        match self {
            Self::MariaDb(transaction) => transaction.commit().await?,
            Self::Sqlite(transaction) => transaction.commit().await?,
        }
        Ok(())
    }

    /// Runs one statement and tells how many rows it touched.
    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, SqlError> {
        Ok(match self {
            Self::MariaDb(it) => bound!(sql, values)
                .execute(&mut **it)
                .await?
                .rows_affected(),
            Self::Sqlite(it) => bound!(sql, values)
                .execute(&mut **it)
                .await?
                .rows_affected(),
        })
    }

    /// Runs one query.
    pub(crate) async fn fetch(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, SqlError> {
        Ok(match self {
            Self::MariaDb(it) => {
                let rows = bound!(sql, values).fetch_all(&mut **it).await?;
                rows.into_iter().map(Row::MariaDb).collect()
            }
            Self::Sqlite(it) => {
                let rows = bound!(sql, values).fetch_all(&mut **it).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
        })
    }
}

/// A row of an answer.
pub(crate) enum Row {
    MariaDb(MySqlRow),
    Sqlite(SqliteRow),
}

impl Row {
    /// A number that may be NULL.
    pub(crate) fn optional_int(&self, index: usize) -> Result<Option<i64>, SqlError> {
        Ok(match self {
            Self::MariaDb(row) => row.try_get_unchecked(index)?,
            Self::Sqlite(row) => row.try_get_unchecked(index)?,
        })
    }

    pub(crate) fn int(&self, index: usize, table: &'static str) -> Result<i64, SqlError> {
        self.optional_int(index)?.ok_or(SqlError::Corrupt {
            table,
            problem: "NULL where a number is needed",
        })
    }

    /// A text that may be NULL.
    pub(crate) fn optional_text(&self, index: usize) -> Result<Option<String>, SqlError> {
        Ok(match self {
            Self::MariaDb(row) => row.try_get_unchecked(index)?,
            Self::Sqlite(row) => row.try_get_unchecked(index)?,
        })
    }

    pub(crate) fn text(&self, index: usize, table: &'static str) -> Result<String, SqlError> {
        self.optional_text(index)?.ok_or(SqlError::Corrupt {
            table,
            problem: "NULL where a text is needed",
        })
    }
}

impl fmt::Debug for KmsDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsDatabase")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const SIGNALS: [&str; 3] = [
        "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1020",
        "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205",
        "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
    ];

    /// Fails a few times as a server fails that met somebody else's write.
    struct Fails {
        signal: &'static str,
        times: u32,
        attempts: AtomicU32,
    }

    impl Work for Fails {
        type Output = ();

        async fn run(&self, session: &mut Session<'_>) -> Result<(), SqlError> {
            match self.attempts.fetch_add(1, Ordering::SeqCst) < self.times {
                true => session.execute(self.signal, &[]).await.map(drop),
                false => Ok(()),
            }
        }
    }

    struct Isolation;

    impl Work for Isolation {
        type Output = String;

        const ONLY_READS: bool = true;

        async fn run(&self, session: &mut Session<'_>) -> Result<String, SqlError> {
            let rows = session.fetch("SELECT @@tx_isolation", &[]).await?;
            rows[0].text(0, "none")
        }
    }

    #[tokio::test]
    async fn a_conflict_is_tried_again_and_not_for_ever() {
        let server = services::private_mariadb().await.unwrap();
        let url = server.database("kms").await.unwrap();
        let database = KmsDatabase::connect(&url, SqlOptions::default())
            .await
            .unwrap();
        for signal in SIGNALS {
            for (times, attempts, is_done) in [(3, 4, true), (100, 10, false)] {
                let work = Fails {
                    signal,
                    times,
                    attempts: AtomicU32::default(),
                };
                let outcome = database.run(&work).await;
                assert_eq!(outcome.is_ok(), is_done, "{signal}: {outcome:?}");
                assert_eq!(work.attempts.into_inner(), attempts, "{signal}");
            }
        }
        // Whatever the server is configured to.
        let loose = "SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED";
        let Pool::MariaDb(pool) = &database.pool else {
            unreachable!("a pool of MariaDB");
        };
        pool.execute(loose).await.unwrap();
        let database = KmsDatabase::connect(&url, SqlOptions::default())
            .await
            .unwrap();
        let isolation = database.run(&Isolation).await.unwrap();
        assert_eq!(isolation, "REPEATABLE-READ");
    }
}
