//! What can go wrong between us and the database, and whose turn it is then.

use std::time::Duration;

use auth_base::server_url::InvalidServerUrl;
use auth_base::store_error::StoreError;
use sqlx::mysql::MySqlDatabaseError;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The URL cannot be used as it is written.
    #[error("the database URL cannot be used")]
    Url(#[source] InvalidServerUrl),
    /// The database failed, or cannot be reached.
    #[error("database error")]
    Database(#[from] sqlx::Error),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The schema is of a newer version of this program.
    #[error("the schema has version {0}, which a newer program made")]
    Newer(i64),
    /// The schema is another program's.
    #[error("the schema is another program's: its table {table} is not one of ours")]
    Foreign {
        /// The table that somebody else made.
        table: String,
    },
    /// A row cannot be read.
    #[error("unexpected content of {table}: {problem}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong; never the content.
        problem: &'static str,
    },
}

/// What is to be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Somebody else wrote at the same time: run the whole unit of work again.
    Conflict,
    /// The connection is gone: run the unit again on another one, if nothing was committed.
    Reconnect,
    /// Nobody answers; the caller may try later.
    Later,
    /// Trying again does not help.
    None,
}

/// An error of a unit of work: [`SqlError`], or an error of the caller's that holds one.
pub trait Failure: From<SqlError> + std::fmt::Display + Send {
    /// What the runner does about it.
    fn remedy(&self) -> Remedy;
}

/// MariaDB: record changed, lock wait, deadlock.
const CONFLICTS: [u16; 3] = [1020, 1205, 1213];
/// MariaDB: shutdown, connection killed, too many connections (server, user), network reads and writes, statement time exceeded.
const AWAY: [u16; 10] = [1053, 1927, 1040, 1203, 1158, 1159, 1160, 1161, 1969, 1152];
/// SQLite: busy and locked; their extended forms share the low byte.
const SQLITE_BUSY: [i32; 2] = [5, 6];

impl SqlError {
    /// A row that cannot be read. The problem never says what is in it.
    pub fn corrupt(table: &'static str, problem: &'static str) -> Self {
        Self::Corrupt { table, problem }
    }

    /// Tells whether a row of this key is there already.
    pub fn is_duplicate(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.is_unique_violation(),
            _ => false,
        }
    }

    /// The number that MariaDB gave the error.
    pub fn mariadb_number(&self) -> Option<u16> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error
                .try_downcast_ref::<MySqlDatabaseError>()
                .map(MySqlDatabaseError::number),
            _ => None,
        }
    }

    /// Somebody else holds what is waited for.
    pub(crate) fn busy() -> Self {
        Self::Database(sqlx::Error::PoolTimedOut)
    }
}

impl Failure for SqlError {
    fn remedy(&self) -> Remedy {
        if let Some(number) = self.mariadb_number() {
            return match number {
                number if CONFLICTS.contains(&number) => Remedy::Conflict,
                number if AWAY.contains(&number) => Remedy::Reconnect,
                _ => Remedy::None,
            };
        }
        match self {
            Self::Database(error) => sqlx_remedy(error),
            Self::Timeout(_) => Remedy::Later,
            Self::Url(_) | Self::Newer(_) | Self::Foreign { .. } | Self::Corrupt { .. } => {
                Remedy::None
            }
        }
    }
}

fn sqlx_remedy(error: &sqlx::Error) -> Remedy {
    match error {
        sqlx::Error::Database(database) => {
            match database.code().and_then(|code| code.parse::<i32>().ok()) {
                Some(code) if SQLITE_BUSY.contains(&(code & 0xff)) => Remedy::Conflict,
                _ => Remedy::None,
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => Remedy::Reconnect,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Remedy::Later,
        _ => Remedy::None,
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Corrupt { table, problem } => Self::Corrupt {
                owner: table.to_owned(),
                reason: problem,
            },
            error if error.remedy() == Remedy::None => Self::Refused(Box::new(error)),
            error => Self::Unavailable(Box::new(error)),
        }
    }
}
