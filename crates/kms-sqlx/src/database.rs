//! The schema of keys and rings, over [`sql_link`].

use sql_link::{Database, Isolation, Migration, Schema, SqlOptions, Statement, Work};

use crate::error::SqlError;

const SCHEMA: Schema = Schema {
    versions: sql_link::versions!("kms_schema", "kms-schema"),
    migrations: &[Migration {
        version: 1,
        statements: Statement {
            mariadb: include_str!("../migrations/mariadb/0001_schema.sql"),
            sqlite: include_str!("../migrations/sqlite/0001_schema.sql"),
        },
    }],
    allows_newer: false,
    foreign: None,
    at_start: &[],
};

/// Connections to a schema that holds keys and rings. Clones share them.
#[derive(Clone, Debug)]
pub struct KmsDatabase(Database);

impl KmsDatabase {
    /// Tells whether `url` can be connected to at all, without connecting.
    ///
    /// # Errors
    /// [`sql_link::SqlError::Url`].
    pub fn check_url(url: &str) -> Result<(), SqlError> {
        Ok(Database::check_url(url)?)
    }

    /// Connects, and makes the tables where they are not there.
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn connect(url: &str, options: SqlOptions) -> Result<Self, SqlError> {
        // A ring is read by two queries, which must see the same.
        let database = Database::connect(url, options, Isolation::RepeatableRead).await?;
        sql_link::schema::migrate(&database, &SCHEMA).await?;
        Ok(Self(database))
    }

    /// Closes the connections. It returns within [`SqlOptions::timeout`].
    pub async fn close(&self) {
        self.0.close().await;
    }

    /// Runs a unit of work in a transaction, again after a conflict, within the timeout.
    pub(crate) async fn run<W: Work<Error = SqlError>>(
        &self,
        work: &W,
    ) -> Result<W::Output, SqlError> {
        self.0.run(work).await
    }
}
