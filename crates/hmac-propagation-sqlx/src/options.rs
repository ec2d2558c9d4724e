//! How the database is used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_base::random::{Random, SystemRandom};

/// Bounds of [`crate::SqlManagement`].
#[derive(Clone)]
pub struct SqlOptions {
    /// At most this many connections (10). SQLite in memory always has one.
    pub max_connections: u32,
    /// Every call returns within this time, waiting for a connection and retries included (10 s). A batch is worked off
    /// in parts of at most 1,000 items, and each part has this time.
    pub timeout: Duration,
    /// A write conflict is tried again at most this often (12), after a random pause that doubles from 1 ms to 128 ms.
    pub max_attempts: u32,
    /// Where nonces of sealed values and the pauses between attempts come from.
    pub random: Arc<dyn Random>,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            max_connections: 10,
            timeout: Duration::from_secs(10),
            max_attempts: 12,
            random: Arc::new(SystemRandom),
        }
    }
}

impl SqlOptions {
    pub(crate) fn link(&self) -> sql_link::SqlOptions {
        sql_link::SqlOptions {
            max_connections: self.max_connections,
            timeout: self.timeout,
            max_attempts: self.max_attempts,
            random: Arc::clone(&self.random),
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
