//! What can go wrong between us and the database, and whose turn it is then.

use std::time::Duration;

use hmac_propagation::management::ManagementError;

use crate::secrets::{OpenError, SealError};

/// An error inside one unit of work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    #[error("database error")]
    Database(#[from] sqlx::Error),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("unexpected content of {table}: {problem}")]
    Corrupt {
        table: &'static str,
        problem: &'static str,
    },
    #[error("could not read the sealed {what}")]
    Open {
        what: &'static str,
        #[source]
        source: OpenError,
    },
    #[error("could not seal a value")]
    Seal(#[from] SealError),
    #[error("could not write JSON")]
    Json(#[from] serde_json::Error),
    #[error(
        "the schema is another program's: its table {table} is not one of ours, though the Node original has one of that \
         name. Nothing was changed. Give this peer an empty schema of its own in DATABASE_URL: docs/migrating-from-node.md"
    )]
    Foreign { table: String },
    #[error(transparent)]
    Refused(Box<ManagementError>),
}

/// What the runner does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Somebody else wrote at the same time: run the whole unit again.
    Conflict,
    /// The connection is gone: run the unit again on another one, if nothing was committed.
    Reconnect,
    /// Nobody answers; the caller may try later.
    Later,
    /// Trying again does not help.
    None,
}

// MariaDB: record changed, lock wait, deadlock; duplicate key and missing parent: a row came or went between our reading
// and our writing.
const CONFLICTS: [u16; 5] = [1020, 1205, 1213, 1062, 1452];
// Shutdown, connection killed, too many connections (server, user), network reads and writes, statement time exceeded.
const AWAY: [u16; 10] = [1053, 1927, 1040, 1203, 1158, 1159, 1160, 1161, 1969, 1152];
// SQLite: busy, locked (and their extended forms share the low byte).
const SQLITE_BUSY: [i32; 2] = [5, 6];

impl SqlError {
    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Database(error) => database_remedy(error),
            Self::Timeout(_) => Remedy::Later,
            Self::Corrupt { .. }
            | Self::Open { .. }
            | Self::Seal(_)
            | Self::Json(_)
            | Self::Foreign { .. }
            | Self::Refused(_) => Remedy::None,
        }
    }
}

fn database_remedy(error: &sqlx::Error) -> Remedy {
    match error {
        sqlx::Error::Database(database) => {
            if let Some(error) = database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
                let number = error.number();
                if CONFLICTS.contains(&number) {
                    return Remedy::Conflict;
                }
                return if AWAY.contains(&number) {
                    Remedy::Reconnect
                } else {
                    Remedy::None
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
        | sqlx::Error::WorkerCrashed => Remedy::Reconnect,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Remedy::Later,
        _ => Remedy::None,
    }
}

impl From<SqlError> for ManagementError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Refused(refused) => *refused,
            other if other.remedy() == Remedy::None => Self::Failed(Box::new(other)),
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

impl From<ManagementError> for SqlError {
    fn from(error: ManagementError) -> Self {
        Self::Refused(Box::new(error))
    }
}
