//! Migrations: run at start, idempotent, and safe with several replicas starting at once.
//!
//! Every statement of a migration can be run again, and the version is written last, so that a start that was killed in
//! the middle is repaired by the next one. (MariaDB commits each DDL statement by itself; a migrator that refuses a half-done
//! migration would need a hand.) SQLite knows no `ADD COLUMN IF NOT EXISTS` and needs none: there a migration and its version
//! are one transaction.

use crate::database::{Database, Work};
use crate::dialect::{Dialect, Statement};
use crate::error::SqlError;
use crate::row::Value;
use crate::session::{Mode, Session};

/// A schema: its tables, and how they came about.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Where its versions are written down; made by [`crate::versions`].
    pub versions: Versions,
    /// One for each version, in order.
    pub migrations: &'static [Migration],
    /// Whether a schema that a newer program made may be used: the newer one must leave everything that this one needs.
    pub allows_newer: bool,
    /// A query that lists, in its first column, tables that somebody else made under our names. None may be there.
    pub foreign: Option<Statement>,
    /// Run at every start, when the tables are there.
    pub at_start: &'static [&'static str],
}

/// One step from a version to the next.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The version that it makes, from 1.
    pub version: i64,
    /// Statements that can be run again; on SQLite, the addition of a column cannot and need not.
    pub statements: Statement,
}

/// The table of versions and the lock of one schema.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "statements, each called what it does")]
pub struct Versions {
    pub table: &'static str,
    pub create: &'static str,
    pub known: &'static str,
    pub book: &'static str,
    pub lock: &'static str,
    pub unlock: &'static str,
}

/// Names the table that a schema's versions are written to, and the lock under which MariaDB migrates: it is of the
/// connection, and goes with it, also when the process is killed.
#[macro_export]
macro_rules! versions {
    ($table:literal, $lock:literal) => {
        $crate::schema::Versions {
            table: $table,
            create: ::std::concat!(
                "CREATE TABLE IF NOT EXISTS ",
                $table,
                " (version BIGINT NOT NULL, PRIMARY KEY (version))"
            ),
            known: ::std::concat!("SELECT version FROM ", $table),
            book: ::std::concat!("INSERT INTO ", $table, " (version) VALUES (?)"),
            lock: ::std::concat!(
                "SELECT GET_LOCK(CONCAT('",
                $lock,
                ":', MD5(DATABASE())), 8)"
            ),
            unlock: ::std::concat!("DO RELEASE_LOCK(CONCAT('", $lock, ":', MD5(DATABASE())))"),
        }
    };
}

/// Brings a schema to its newest version, within twice [`crate::SqlOptions::timeout`]: whoever starts beside others waits for
/// them.
///
/// # Errors
/// [`SqlError::Newer`] and [`SqlError::Foreign`], and then nothing was changed; or that the database is out of reach.
pub async fn migrate(database: &Database, schema: &Schema) -> Result<(), SqlError> {
    match database.dialect() {
        Dialect::MariaDb => database.run_patiently(&UnderLock(schema)).await,
        Dialect::Sqlite => database.run_patiently(&InTransaction(schema)).await,
    }
}

/// MariaDB: an advisory lock, for DDL is not transactional.
struct UnderLock<'a>(&'a Schema);

impl Work for UnderLock<'_> {
    type Output = ();
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let answer = session.fetch(self.0.versions.lock, &[]).await?;
        let locked = match answer.first() {
            Some(row) => row.optional_int(0)? == Some(1),
            None => false,
        };
        if !locked {
            return Err(SqlError::busy());
        }
        let migrated = self.0.apply(session).await;
        // Before the lock goes: whoever waits for it must see the version.
        session.commit(Self::MODE).await?;
        session.control(self.0.versions.unlock).await?;
        migrated
    }
}

/// SQLite: the writer's lock.
struct InTransaction<'a>(&'a Schema);

impl Work for InTransaction<'_> {
    type Output = ();
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        self.0.apply(session).await
    }
}

impl Schema {
    async fn apply(&self, session: &mut Session) -> Result<(), SqlError> {
        self.refuse_foreign(session).await?;
        session.control(self.versions.create).await?;
        let mut known = Vec::new();
        for row in session.fetch(self.versions.known, &[]).await? {
            known.push(row.int(0, self.versions.table)?);
        }
        let ours = self.migrations.iter().map(|it| it.version).max();
        let newest = known.iter().max();
        if let Some(newest) = newest.filter(|it| !self.allows_newer && Some(**it) > ours) {
            return Err(SqlError::Newer(*newest));
        }
        for migration in self.migrations {
            if known.contains(&migration.version) {
                continue;
            }
            let statements = migration.statements.of(session.dialect());
            session.control(statements).await?;
            self.book(session, migration.version).await?;
            tracing::info!(version = migration.version, "schema migrated");
        }
        for statement in self.at_start {
            session.execute(statement, &[]).await?;
        }
        Ok(())
    }

    /// Two servers of a cluster do not share an advisory lock: a version that another replica booked meanwhile is done, for
    /// every statement of it can be run again.
    async fn book(&self, session: &mut Session, version: i64) -> Result<(), SqlError> {
        let version = [Value::Int(version)];
        match session.execute(self.versions.book, &version).await {
            Err(error) if error.is_duplicate() => Ok(()),
            booked => booked.map(drop),
        }
    }

    /// Nothing is created and nothing booked beside tables that are not ours.
    async fn refuse_foreign(&self, session: &mut Session) -> Result<(), SqlError> {
        let Some(query) = &self.foreign else {
            return Ok(());
        };
        match session.fetch_as(query, &[]).await?.first() {
            None => Ok(()),
            Some(row) => Err(SqlError::Foreign {
                table: row.text(0, "the list of tables")?,
            }),
        }
    }
}
