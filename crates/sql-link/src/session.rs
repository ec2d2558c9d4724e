//! One connection at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::Executor;

use crate::connections::Lease;
use crate::dialect::{Dialect, Statement};
use crate::error::SqlError;
use crate::file_lease::FileLease;
use crate::row::{Inner, Row, Value};

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

/// What a unit of work needs of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One query, or several that need not see one state.
    Read,
    /// Several queries that see one state. On MariaDB it needs [`crate::Isolation::RepeatableRead`].
    Snapshot,
    /// Reads and writes. On SQLite it takes the writer's lock at once, so that nobody writes between its reading and its
    /// writing.
    Write,
}

pub(crate) enum Connection {
    MariaDb(Lease),
    Sqlite(FileLease),
}

/// A connection in use, with its transaction. Dropped before its unit of work has ended (an error, a timeout, a cancelled
/// call) it is closed instead of going back to the pool with half a transaction.
pub struct Session {
    connection: Connection,
    statements: Arc<AtomicU64>,
}

impl Session {
    pub(crate) fn new(connection: Connection, statements: Arc<AtomicU64>) -> Self {
        Self {
            connection,
            statements,
        }
    }

    /// Which SQL it takes.
    pub fn dialect(&self) -> Dialect {
        match self.connection {
            Connection::MariaDb(_) => Dialect::MariaDb,
            Connection::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// MariaDB begins by itself.
    pub(crate) async fn begin(&mut self, mode: Mode) -> Result<(), SqlError> {
        match (self.dialect(), mode) {
            (Dialect::Sqlite, Mode::Write) => self.control("BEGIN IMMEDIATE").await,
            (Dialect::Sqlite, Mode::Snapshot) => self.control("BEGIN").await,
            _ => Ok(()),
        }
    }

    /// Commits before the end of the unit of work, which goes on in a new transaction on MariaDB. For who holds a lock of the
    /// connection, not of a transaction; all others leave the commit to the runner.
    ///
    /// # Errors
    /// [`SqlError`]; after one that is no refusal the commit may have happened.
    pub async fn commit(&mut self, mode: Mode) -> Result<(), SqlError> {
        self.end(mode, "COMMIT").await
    }

    pub(crate) async fn rollback(&mut self, mode: Mode) -> Result<(), SqlError> {
        self.end(mode, "ROLLBACK").await
    }

    /// On MariaDB reading ends too: what it looked at stays locked against migrations until then.
    async fn end(&mut self, mode: Mode, how: &'static str) -> Result<(), SqlError> {
        match (self.dialect(), mode) {
            (Dialect::Sqlite, Mode::Read) => Ok(()),
            _ => self.control(how).await,
        }
    }

    pub(crate) fn release(self) {
        match self.connection {
            Connection::MariaDb(lease) => lease.give_back(),
            Connection::Sqlite(lease) => lease.give_back(),
        }
    }

    /// Runs statements without parameters, as one text.
    ///
    /// # Errors
    /// [`SqlError`]. Statements before the one that failed may have been run.
    pub async fn control(&mut self, sql: &'static str) -> Result<(), SqlError> {
        self.count();
        match &mut self.connection {
            Connection::MariaDb(connection) => {
                connection.execute(sqlx::raw_sql(sql)).await?;
            }
            Connection::Sqlite(connection) => {
                connection.execute(sqlx::raw_sql(sql)).await?;
            }
        }
        Ok(())
    }

    /// Runs one statement and tells how many rows it touched.
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, SqlError> {
        self.count();
        Ok(match &mut self.connection {
            Connection::MariaDb(connection) => bound!(sql, values)
                .execute(&mut **connection)
                .await?
                .rows_affected(),
            Connection::Sqlite(connection) => bound!(sql, values)
                .execute(&mut **connection)
                .await?
                .rows_affected(),
        })
    }

    /// Runs one query. The caller bounds how many rows it has.
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn fetch(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, SqlError> {
        self.count();
        Ok(match &mut self.connection {
            Connection::MariaDb(connection) => {
                let rows = bound!(sql, values).fetch_all(&mut **connection).await?;
                rows.into_iter()
                    .map(|row| Row(Inner::MariaDb(row)))
                    .collect()
            }
            Connection::Sqlite(connection) => {
                let rows = bound!(sql, values).fetch_all(&mut **connection).await?;
                rows.into_iter()
                    .map(|row| Row(Inner::Sqlite(row)))
                    .collect()
            }
        })
    }

    /// Runs one query that differs between the two databases, such as one of [`crate::locking`].
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn fetch_as(
        &mut self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, SqlError> {
        self.fetch(statement.of(self.dialect()), values).await
    }

    /// Runs one statement that differs between the two databases.
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn execute_as(
        &mut self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<u64, SqlError> {
        self.execute(statement.of(self.dialect()), values).await
    }

    fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }
}
