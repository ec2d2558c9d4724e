//! How the database is used.

use std::time::Duration;

/// Bounds of a [`crate::KmsDatabase`].
#[derive(Clone, Copy, Debug)]
pub struct SqlOptions {
    /// At most so many connections (5). SQLite in memory always has one.
    pub max_connections: u32,
    /// Every call returns within this time, waiting for a connection and retries included (5 s).
    pub timeout: Duration,
    /// A write conflict is tried again at most this often (10), after a random pause that doubles from 2 ms to 128 ms.
    pub max_attempts: u32,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            max_connections: 5,
            timeout: Duration::from_secs(5),
            max_attempts: 10,
        }
    }
}
