//! Migrations: run at start, idempotent, and safe with several replicas starting at once.
//!
//! Every statement of a migration can be run again, and the version is written last, so that a start that was killed in
//! the middle is repaired by the next one. (MariaDB commits each DDL statement by itself; a migrator that refuses a half-done
//! migration would need a hand.)

use crate::database::{Database, Mode, Session, Value, Work};
use crate::dialect::Dialect;
use crate::error::SqlError;

struct Migration {
    version: i64,
    mariadb: &'static str,
    sqlite: &'static str,
}

const MIGRATIONS: [Migration; 1] = [Migration {
    version: 1,
    mariadb: include_str!("../migrations/mariadb/0001_schema.sql"),
    sqlite: include_str!("../migrations/sqlite/0001_schema.sql"),
}];

/// Tables of our names that somebody else made: none of these columns is in them, of which the first version of each of ours
/// has one. The Node original's are such.
const FOREIGN_IN_MARIADB: &str = "SELECT t.table_name FROM information_schema.tables t \
     WHERE t.table_schema = DATABASE() AND t.table_name IN ('hmac_credential', 'hmac_credential_target', \
       'hmac_credential_target_audit', 'hmac_propagation_target') \
     AND NOT EXISTS (SELECT 1 FROM information_schema.columns c WHERE c.table_schema = t.table_schema \
       AND c.table_name = t.table_name AND c.column_name IN ('generation', 'is_self')) ORDER BY t.table_name";
const FOREIGN_IN_SQLITE: &str = "SELECT t.name FROM sqlite_master t WHERE t.type = 'table' \
     AND t.name IN ('hmac_credential', 'hmac_credential_target', 'hmac_credential_target_audit', 'hmac_propagation_target') \
     AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.name IN ('generation', 'is_self')) ORDER BY t.name";
const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS hmac_propagation_schema (version BIGINT NOT NULL, PRIMARY KEY (version))";
const KNOWN: &str = "SELECT version FROM hmac_propagation_schema";
const BOOK: &str = "INSERT INTO hmac_propagation_schema (version) VALUES (?)";
/// What an earlier version kept until a change had come everywhere. Such a version may share the schema, or be started
/// again, and reads and writes the column: so it stays, and every start empties it.
const FORGET_PLAINS: &str =
    "UPDATE hmac_credential SET plain_secret = NULL WHERE plain_secret IS NOT NULL";
// Held by the connection: it goes with it, also when the process is killed.
const LOCK: &str = "SELECT GET_LOCK(CONCAT('hmac-schema:', MD5(DATABASE())), 8)";
const UNLOCK: &str = "DO RELEASE_LOCK(CONCAT('hmac-schema:', MD5(DATABASE())))";

/// Brings the schema to the newest version.
pub(crate) async fn migrate(database: &Database) -> Result<(), SqlError> {
    match database.dialect() {
        Dialect::MariaDb => database.run(&UnderLock).await,
        Dialect::Sqlite => database.run(&InTransaction).await,
    }
}

/// MariaDB: an advisory lock, for DDL is not transactional.
struct UnderLock;

impl Work for UnderLock {
    type Output = ();
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let answer = session.fetch(LOCK, &[]).await?;
        let locked = match answer.first() {
            Some(row) => row.int(0)? == Some(1),
            None => false,
        };
        if !locked {
            return Err(SqlError::Database(sqlx::Error::PoolTimedOut));
        }
        let migrated = apply(session).await;
        // Before the lock goes: whoever waits for it must see the version.
        session.commit(Self::MODE).await?;
        session.control(UNLOCK).await?;
        migrated
    }
}

/// SQLite: the writer's lock.
struct InTransaction;

impl Work for InTransaction {
    type Output = ();

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        apply(session).await
    }
}

async fn apply(session: &mut Session) -> Result<(), SqlError> {
    refuse_foreign(session).await?;
    session.control(VERSIONS).await?;
    let mut known = Vec::new();
    for row in session.fetch(KNOWN, &[]).await? {
        known.push(row.required_int(0, "hmac_propagation_schema")?);
    }
    for migration in MIGRATIONS.iter().filter(|m| !known.contains(&m.version)) {
        let sql = match session.dialect() {
            Dialect::MariaDb => migration.mariadb,
            Dialect::Sqlite => migration.sqlite,
        };
        session.control(sql).await?;
        session
            .execute(BOOK, &[Value::Int(migration.version)])
            .await?;
        tracing::info!(version = migration.version, "schema migrated");
    }
    session.execute(FORGET_PLAINS, &[]).await?;
    Ok(())
}

/// Nothing is created and nothing booked beside tables that are not ours.
async fn refuse_foreign(session: &mut Session) -> Result<(), SqlError> {
    let sql = match session.dialect() {
        Dialect::MariaDb => FOREIGN_IN_MARIADB,
        Dialect::Sqlite => FOREIGN_IN_SQLITE,
    };
    match session.fetch(sql, &[]).await?.first() {
        None => Ok(()),
        Some(row) => Err(SqlError::Foreign {
            table: row.required_text(0, "the list of tables")?,
        }),
    }
}
