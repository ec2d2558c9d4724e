//! Which SQL is spoken, and what a transaction of it sees.

/// One of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// MariaDB, and servers that speak its protocol.
    MariaDb,
    /// SQLite, in a file or in memory.
    Sqlite,
}

/// One statement in both languages.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// As MariaDB takes it.
    pub mariadb: &'static str,
    /// As SQLite takes it.
    pub sqlite: &'static str,
}

impl Statement {
    /// The text for one of the two.
    pub fn of(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::MariaDb => self.mariadb,
            Dialect::Sqlite => self.sqlite,
        }
    }
}

/// A query whose rows stay locked until the transaction ends: on SQLite the writer's lock does that already, if the unit of
/// work is of [`crate::Mode::Write`].
#[macro_export]
macro_rules! locking {
    ($sql:literal) => {
        $crate::dialect::Statement {
            mariadb: ::std::concat!($sql, " FOR UPDATE"),
            sqlite: $sql,
        }
    };
}

/// What the statements of one transaction see on MariaDB. SQLite's transactions see one state always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what was committed before it.
    ReadCommitted,
    /// All statements see the state at the first of them that reads.
    RepeatableRead,
}

impl Isolation {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
        }
    }
}
