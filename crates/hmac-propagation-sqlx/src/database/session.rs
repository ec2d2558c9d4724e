//! One connection at work, and the values that go in and come out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::mysql::MySqlRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Executor, Row as _};

use crate::database::connections::{FileLease, Lease};
use crate::dialect::Dialect;
use crate::error::SqlError;
use crate::statements::bulk::{Bulk, Few};

/// A query with its parameters, for either driver.
macro_rules! bound {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match *value {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::OptionalText(value) => query.bind(value),
            };
        }
        query
    }};
}

/// So many rows are handed over as plain parameters.
const FEW: usize = 2;
/// Rows handed over in one statement.
const ROWS_A_STATEMENT: usize = 500;

/// Whether a unit of work needs a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
}

/// One row of a bulk statement, in the order of the statement's columns.
pub(crate) type JsonRow = Vec<serde_json::Value>;

/// A parameter.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Int(i64),
    Text(&'a str),
    OptionalText(Option<&'a str>),
}

impl<'a> Value<'a> {
    fn of(value: &'a serde_json::Value) -> Self {
        match value {
            serde_json::Value::Number(number) => {
                number.as_i64().map_or(Self::OptionalText(None), Self::Int)
            }
            other => Self::OptionalText(other.as_str()),
        }
    }
}

/// A row's values with those of its key last.
fn in_order(row: &JsonRow, key: usize) -> Vec<Value<'_>> {
    let (key, rest) = row.split_at(key.min(row.len()));
    rest.iter().chain(key).map(Value::of).collect()
}

pub(crate) enum Connection {
    MariaDb(Lease),
    Sqlite(FileLease),
}

/// A row of an answer.
pub(crate) enum Row {
    MariaDb(MySqlRow),
    Sqlite(SqliteRow),
}

impl Row {
    /// A column that may be NULL.
    pub(crate) fn int(&self, index: usize) -> Result<Option<i64>, SqlError> {
        Ok(match self {
            Self::MariaDb(row) => row.try_get_unchecked(index)?,
            Self::Sqlite(row) => row.try_get_unchecked(index)?,
        })
    }

    /// A column that may be NULL.
    pub(crate) fn text(&self, index: usize) -> Result<Option<String>, SqlError> {
        Ok(match self {
            Self::MariaDb(row) => row.try_get_unchecked(index)?,
            Self::Sqlite(row) => row.try_get_unchecked(index)?,
        })
    }

    pub(crate) fn required_int(&self, index: usize, table: &'static str) -> Result<i64, SqlError> {
        self.int(index)?.ok_or(SqlError::Corrupt {
            table,
            problem: "NULL where a number is needed",
        })
    }

    /// A number that counts something.
    pub(crate) fn required_count(
        &self,
        index: usize,
        table: &'static str,
    ) -> Result<u64, SqlError> {
        Ok(u64::try_from(self.required_int(index, table)?).unwrap_or_default())
    }

    pub(crate) fn required_text(
        &self,
        index: usize,
        table: &'static str,
    ) -> Result<String, SqlError> {
        self.text(index)?.ok_or(SqlError::Corrupt {
            table,
            problem: "NULL where a text is needed",
        })
    }
}

/// A connection in use. Dropped without [`Session::release`] (an error, a timeout, a cancelled call) it is closed instead of
/// going back to the pool with half a transaction.
pub(crate) struct Session {
    connection: Connection,
    statements: Arc<AtomicU64>,
}

impl Session {
    pub(super) fn new(connection: Connection, statements: Arc<AtomicU64>) -> Self {
        Self {
            connection,
            statements,
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.connection {
            Connection::MariaDb(_) => Dialect::MariaDb,
            Connection::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// MariaDB begins by itself.
    pub(super) async fn begin(&mut self, mode: Mode) -> Result<(), SqlError> {
        match (self.dialect(), mode) {
            (Dialect::Sqlite, Mode::Write) => self.control("BEGIN IMMEDIATE").await,
            _ => Ok(()),
        }
    }

    pub(crate) async fn commit(&mut self, mode: Mode) -> Result<(), SqlError> {
        self.end(mode, "COMMIT").await
    }

    pub(super) async fn rollback(&mut self, mode: Mode) -> Result<(), SqlError> {
        self.end(mode, "ROLLBACK").await
    }

    /// On MariaDB reading ends too: what it looked at stays locked against migrations until then.
    async fn end(&mut self, mode: Mode, how: &'static str) -> Result<(), SqlError> {
        match (self.dialect(), mode) {
            (Dialect::Sqlite, Mode::Read) => Ok(()),
            _ => self.control(how).await,
        }
    }

    pub(super) fn release(self) {
        match self.connection {
            Connection::MariaDb(lease) => lease.give_back(),
            Connection::Sqlite(lease) => lease.give_back(),
        }
    }

    /// Runs statements without parameters, as one text.
    pub(crate) async fn control(&mut self, sql: &'static str) -> Result<(), SqlError> {
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
    pub(crate) async fn execute(
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

    /// Runs one query.
    pub(crate) async fn fetch(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, SqlError> {
        self.count();
        Ok(match &mut self.connection {
            Connection::MariaDb(connection) => {
                let rows = bound!(sql, values).fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::MariaDb).collect()
            }
            Connection::Sqlite(connection) => {
                let rows = bound!(sql, values).fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
        })
    }

    /// Runs a bulk statement over all rows; nothing for no rows.
    pub(crate) async fn execute_bulk(
        &mut self,
        bulk: &'static Bulk,
        rows: &[JsonRow],
    ) -> Result<(), SqlError> {
        match &bulk.few {
            Few::Together(sql) if (1..=sql.len()).contains(&rows.len()) => {
                let values: Vec<Value<'_>> = rows.iter().flatten().map(Value::of).collect();
                self.execute(&sql[rows.len() - 1], &values).await?;
            }
            Few::Each { sql, key } if rows.len() <= FEW => {
                for row in rows {
                    self.execute(sql, &in_order(row, *key)).await?;
                }
            }
            _ => {
                for part in rows.chunks(ROWS_A_STATEMENT) {
                    let json = serde_json::to_string(part)?;
                    self.execute(&bulk.json, &[Value::Text(&json)]).await?;
                }
            }
        }
        Ok(())
    }

    /// Runs a bulk query over all keys; nothing for no keys.
    pub(crate) async fn fetch_bulk(
        &mut self,
        bulk: &'static Bulk,
        keys: &[JsonRow],
    ) -> Result<Vec<Row>, SqlError> {
        let mut rows = Vec::new();
        match &bulk.few {
            Few::Together(sql) if (1..=sql.len()).contains(&keys.len()) => {
                let values: Vec<Value<'_>> = keys.iter().flatten().map(Value::of).collect();
                rows = self.fetch(&sql[keys.len() - 1], &values).await?;
            }
            _ => {
                for part in keys.chunks(ROWS_A_STATEMENT) {
                    let json = serde_json::to_string(part)?;
                    rows.extend(self.fetch(&bulk.json, &[Value::Text(&json)]).await?);
                }
            }
        }
        Ok(rows)
    }

    fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }
}
