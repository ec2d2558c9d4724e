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
    foreign: Some(FOREIGN),
    at_start: &[],
};

/// Tables of our names that somebody else made: the column that only ours has is not in them.
const FOREIGN: Statement = Statement {
    mariadb: "SELECT t.table_name FROM information_schema.tables t \
     WHERE t.table_schema = DATABASE() AND t.table_name IN ('accounts', 'login_failures', \
       'refresh_families', 'refresh_tokens', 'audit') \
     AND NOT EXISTS (SELECT 1 FROM information_schema.columns c WHERE c.table_schema = t.table_schema \
       AND c.table_name = t.table_name AND c.column_name = CASE t.table_name \
       WHEN 'accounts' THEN 'active_admin' WHEN 'login_failures' THEN 'window_ends_at' \
       WHEN 'refresh_families' THEN 'idle_until' WHEN 'refresh_tokens' THEN 'successor_jti' \
       WHEN 'audit' THEN 'peer' END) ORDER BY t.table_name",
    sqlite: "SELECT t.name FROM sqlite_master t WHERE t.type = 'table' AND t.name IN ('accounts', 'login_failures', \
       'refresh_families', 'refresh_tokens', 'audit') \
     AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.name = CASE t.name \
       WHEN 'accounts' THEN 'active_admin' WHEN 'login_failures' THEN 'window_ends_at' \
       WHEN 'refresh_families' THEN 'idle_until' WHEN 'refresh_tokens' THEN 'successor_jti' \
       WHEN 'audit' THEN 'peer' END) ORDER BY t.name",
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
