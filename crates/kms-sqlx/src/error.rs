//! What can go wrong between us and the database.

use std::time::Duration;

use auth_base::server_url::InvalidServerUrl;
use auth_base::store_error::StoreError;
use kms::KmsError;

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
pub(crate) enum Remedy {
    /// Somebody else wrote at the same time: run it again.
    Conflict,
    /// Nobody answers; the caller may try later.
    Later,
    /// Trying again does not help.
    None,
}

/// MariaDB: record changed, lock wait, deadlock.
const CONFLICTS: [u16; 3] = [1020, 1205, 1213];
/// MariaDB: shutdown, connection killed, too many connections, network reads and writes, statement time exceeded.
const AWAY: [u16; 10] = [1053, 1927, 1040, 1203, 1158, 1159, 1160, 1161, 1969, 1152];
/// SQLite: busy and locked; their extended forms share the low byte.
const SQLITE_BUSY: [i32; 2] = [5, 6];

impl SqlError {
    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Database(error) => database_remedy(error),
            Self::Timeout(_) => Remedy::Later,
            Self::Corrupt { .. } | Self::Url(_) | Self::Newer(_) => Remedy::None,
        }
    }

    /// Tells whether a row of this key is there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.is_unique_violation(),
            _ => false,
        }
    }
}

fn database_remedy(error: &sqlx::Error) -> Remedy {
    match error {
        sqlx::Error::Database(database) => {
            if let Some(error) = database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
                return match error.number() {
                    number if CONFLICTS.contains(&number) => Remedy::Conflict,
                    number if AWAY.contains(&number) => Remedy::Later,
                    _ => Remedy::None,
                };
            }
            match database.code().and_then(|code| code.parse::<i32>().ok()) {
                Some(code) if SQLITE_BUSY.contains(&(code & 0xff)) => Remedy::Conflict,
                _ => Remedy::None,
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed => Remedy::Later,
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

impl From<SqlError> for KmsError {
    fn from(error: SqlError) -> Self {
        match error.remedy() {
            Remedy::None => Self::Refused(Box::new(error)),
            Remedy::Conflict | Remedy::Later => Self::Unavailable(Box::new(error)),
        }
    }
}
