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
    foreign: Some(FOREIGN),
    at_start: &[],
};

/// Tables of our names that somebody else made: the column that only ours has is not in them.
const FOREIGN: Statement = Statement {
    mariadb: "SELECT t.table_name FROM information_schema.tables t \
     WHERE t.table_schema = DATABASE() AND t.table_name IN ('key_rings', 'signing_keys', 'private_keys') \
     AND NOT EXISTS (SELECT 1 FROM information_schema.columns c WHERE c.table_schema = t.table_schema \
       AND c.table_name = t.table_name AND c.column_name = CASE t.table_name \
       WHEN 'key_rings' THEN 'revision' WHEN 'signing_keys' THEN 'active_of' \
       WHEN 'private_keys' THEN 'sealed_private' END) ORDER BY t.table_name",
    sqlite: "SELECT t.name FROM sqlite_master t WHERE t.type = 'table' AND t.name IN ('key_rings', 'signing_keys', 'private_keys') \
     AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.name = CASE t.name \
       WHEN 'key_rings' THEN 'revision' WHEN 'signing_keys' THEN 'active_of' \
       WHEN 'private_keys' THEN 'sealed_private' END) ORDER BY t.name",
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
