//! The schema of accounts, over [`sql_link`].

use sql_link::{
    Database, Isolation, Migration, Schema, SqlError, SqlOptions, Statement, Work, schema, versions,
};

const SCHEMA: Schema = Schema {
    versions: versions!("accounts_schema", "accounts-schema"),
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

/// Accounts, failed sign-ins, refresh families and the audit in a database. Clones share the connections.
#[derive(Clone, Debug)]
pub struct SqlAccounts(Database);

impl SqlAccounts {
    /// Tells whether `url` can be connected to at all, without connecting.
    ///
    /// # Errors
    /// [`SqlError::Url`].
    pub fn check_url(url: &str) -> Result<(), SqlError> {
        Database::check_url(url)
    }

    /// Connects, and makes the tables where they are not there.
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn connect(url: &str, options: SqlOptions) -> Result<Self, SqlError> {
        // Whoever waited for a lock sees what was committed meanwhile.
        let database = Database::connect(url, options, Isolation::ReadCommitted).await?;
        schema::migrate(&database, &SCHEMA).await?;
        Ok(Self(database))
    }

    /// Closes the connections. It returns within [`SqlOptions::timeout`].
    pub async fn close(&self) {
        self.0.close().await;
    }

    pub(crate) async fn run<W: Work<Error = SqlError>>(
        &self,
        work: &W,
    ) -> Result<W::Output, SqlError> {
        self.0.run(work).await
    }
}
