//! A connection of SQLite's pool at work.

use std::ops::{Deref, DerefMut};

use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnection;

/// A connection of SQLite's pool at work: there is no link that could be lost. Dropped without [`FileLease::give_back`] it is closed.
pub(crate) struct FileLease {
    connection: PoolConnection<Sqlite>,
    given_back: bool,
}

impl FileLease {
    pub(crate) fn new(connection: PoolConnection<Sqlite>) -> Self {
        Self {
            connection,
            given_back: false,
        }
    }

    pub(crate) fn give_back(mut self) {
        self.given_back = true;
    }
}

impl Drop for FileLease {
    fn drop(&mut self) {
        if !self.given_back {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for FileLease {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for FileLease {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}
