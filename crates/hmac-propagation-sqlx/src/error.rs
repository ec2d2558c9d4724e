//! What can go wrong between us and the database, and whose turn it is then.

use hmac_propagation::management::ManagementError;
use sql_link::{Failure, Remedy};

use crate::secrets::{OpenError, SealError};

/// An error inside one unit of work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    #[error(transparent)]
    Link(sql_link::SqlError),
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

/// MariaDB: duplicate key and missing parent. A row came or went between our reading and our writing.
const MOVED: [u16; 2] = [1062, 1452];

impl SqlError {
    /// A row that cannot be read. The problem never says what is in it.
    pub(crate) fn corrupt(table: &'static str, problem: &'static str) -> Self {
        Self::Link(sql_link::SqlError::corrupt(table, problem))
    }
}

impl Failure for SqlError {
    fn remedy(&self) -> Remedy {
        match self {
            Self::Link(error) => match error.mariadb_number() {
                Some(number) if MOVED.contains(&number) => Remedy::Conflict,
                _ => error.remedy(),
            },
            Self::Open { .. }
            | Self::Seal(_)
            | Self::Json(_)
            | Self::Foreign { .. }
            | Self::Refused(_) => Remedy::None,
        }
    }
}

impl From<sql_link::SqlError> for SqlError {
    fn from(error: sql_link::SqlError) -> Self {
        match error {
            sql_link::SqlError::Foreign { table } => Self::Foreign { table },
            error => Self::Link(error),
        }
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
