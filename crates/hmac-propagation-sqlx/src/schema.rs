//! The schema's migrations, which [`sql_link::schema`] runs.

use sql_link::{Database, Isolation, Migration, Schema, Statement};

use crate::error::SqlError;
use crate::options::SqlOptions;

const SCHEMA: Schema = Schema {
    versions: sql_link::versions!("hmac_propagation_schema", "hmac-schema"),
    migrations: &[
        Migration {
            version: 1,
            statements: Statement {
                mariadb: include_str!("../migrations/mariadb/0001_schema.sql"),
                sqlite: include_str!("../migrations/sqlite/0001_schema.sql"),
            },
        },
        Migration {
            version: 2,
            statements: Statement {
                mariadb: include_str!("../migrations/mariadb/0002_origin.sql"),
                sqlite: include_str!("../migrations/sqlite/0002_origin.sql"),
            },
        },
    ],
    // Replicas of several versions share a schema while they are replaced.
    allows_newer: true,
    foreign: Some(FOREIGN),
    at_start: &[FORGET_PLAINS],
};

/// Tables of our names that somebody else made: none of these columns is in them, of which the first version of each of ours
/// has one. The Node original's are such.
const FOREIGN: Statement = Statement {
    mariadb: "SELECT t.table_name FROM information_schema.tables t \
     WHERE t.table_schema = DATABASE() AND t.table_name IN ('hmac_credential', 'hmac_credential_target', \
       'hmac_credential_target_audit', 'hmac_propagation_target') \
     AND NOT EXISTS (SELECT 1 FROM information_schema.columns c WHERE c.table_schema = t.table_schema \
       AND c.table_name = t.table_name AND c.column_name IN ('generation', 'is_self')) ORDER BY t.table_name",
    sqlite: "SELECT t.name FROM sqlite_master t WHERE t.type = 'table' \
     AND t.name IN ('hmac_credential', 'hmac_credential_target', 'hmac_credential_target_audit', 'hmac_propagation_target') \
     AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.name IN ('generation', 'is_self')) ORDER BY t.name",
};

/// What an earlier version kept until a change had come everywhere. Such a version may share the schema, or be started
/// again, and reads and writes the column: so it stays, and every start empties it.
const FORGET_PLAINS: &str =
    "UPDATE hmac_credential SET plain_secret = NULL WHERE plain_secret IS NOT NULL";

/// Connects, and brings the schema to the newest version.
pub(crate) async fn open(url: &str, options: &SqlOptions) -> Result<Database, SqlError> {
    let (options, isolation) = (options.link(), Isolation::ReadCommitted);
    let database = Database::connect(url, options, isolation).await?;
    sql_link::schema::migrate(&database, &SCHEMA).await?;
    Ok(database)
}
