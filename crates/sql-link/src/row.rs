//! The values that go in and come out.

use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use sqlx::sqlite::SqliteRow;

use crate::error::SqlError;

/// A parameter.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// A number.
    Int(i64),
    /// A number, or NULL.
    OptionalInt(Option<i64>),
    /// A text.
    Text(&'a str),
    /// A text, or NULL.
    OptionalText(Option<&'a str>),
}

/// A row of an answer. Columns count from 0.
pub struct Row(pub(crate) Inner);

pub(crate) enum Inner {
    MariaDb(MySqlRow),
    Sqlite(SqliteRow),
}

impl Row {
    /// Reads a number that may be NULL.
    ///
    /// # Errors
    /// [`SqlError::Database`] when the column holds something else.
    pub fn optional_int(&self, index: usize) -> Result<Option<i64>, SqlError> {
        Ok(match &self.0 {
            Inner::MariaDb(row) => row.try_get_unchecked(index)?,
            Inner::Sqlite(row) => row.try_get_unchecked(index)?,
        })
    }

    /// Reads a number.
    ///
    /// # Errors
    /// [`SqlError::Corrupt`], which names `table`, for NULL.
    pub fn int(&self, index: usize, table: &'static str) -> Result<i64, SqlError> {
        let null = || SqlError::corrupt(table, "NULL where a number is needed");
        self.optional_int(index)?.ok_or_else(null)
    }

    /// Reads a number that counts something.
    ///
    /// # Errors
    /// [`SqlError::Corrupt`], which names `table`, for NULL and below zero.
    pub fn count(&self, index: usize, table: &'static str) -> Result<u64, SqlError> {
        let number = self.int(index, table)?;
        u64::try_from(number).map_err(|_| SqlError::corrupt(table, "a number below zero"))
    }

    /// Reads a text that may be NULL.
    ///
    /// # Errors
    /// [`SqlError::Database`] when the column holds something else.
    pub fn optional_text(&self, index: usize) -> Result<Option<String>, SqlError> {
        Ok(match &self.0 {
            Inner::MariaDb(row) => row.try_get_unchecked(index)?,
            Inner::Sqlite(row) => row.try_get_unchecked(index)?,
        })
    }

    /// Reads a text.
    ///
    /// # Errors
    /// [`SqlError::Corrupt`], which names `table`, for NULL.
    pub fn text(&self, index: usize, table: &'static str) -> Result<String, SqlError> {
        let null = || SqlError::corrupt(table, "NULL where a text is needed");
        self.optional_text(index)?.ok_or_else(null)
    }
}
