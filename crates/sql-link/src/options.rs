//! How the database is used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_base::random::{Random, SystemRandom};

/// Bounds of a [`crate::Database`].
#[derive(Clone)]
pub struct SqlOptions {
    /// At most so many connections (5). SQLite in memory always has one.
    pub max_connections: u32,
    /// Every call returns within this time, waiting for a connection and retries included (5 s). A row's lock is waited for
    /// two fifths of it, and three seconds at most.
    pub timeout: Duration,
    /// A write conflict is tried again at most this often (10), after a random pause that doubles from 2 ms to 128 ms.
    pub max_attempts: u32,
    /// Where the pauses between attempts come from.
    pub random: Arc<dyn Random>,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            max_connections: 5,
            timeout: Duration::from_secs(5),
            max_attempts: 10,
            random: Arc::new(SystemRandom),
        }
    }
}

impl fmt::Debug for SqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlOptions")
            .field("max_connections", &self.max_connections)
            .field("timeout", &self.timeout)
            .field("max_attempts", &self.max_attempts)
            .finish_non_exhaustive()
    }
}
