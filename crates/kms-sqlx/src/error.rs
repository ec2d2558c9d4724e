//! What can go wrong between us and the database.

use auth_base::store_error::StoreError;
use kms::KmsError;
use sql_link::{Failure, Remedy};

/// Why the database did not do what it was asked: [`sql_link::SqlError`] says it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SqlError(#[from] pub sql_link::SqlError);

impl SqlError {
    /// A row that cannot be read.
    pub(crate) fn corrupt(table: &'static str, problem: &'static str) -> Self {
        Self(sql_link::SqlError::corrupt(table, problem))
    }

    /// Tells whether a row of this key is there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.0.is_duplicate()
    }
}

impl Failure for SqlError {
    fn remedy(&self) -> Remedy {
        self.0.remedy()
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        error.0.into()
    }
}

impl From<SqlError> for KmsError {
    fn from(error: SqlError) -> Self {
        match error.remedy() {
            Remedy::None => Self::Refused(Box::new(error)),
            Remedy::Conflict | Remedy::Reconnect | Remedy::Later => {
                Self::Unavailable(Box::new(error))
            }
        }
    }
}
