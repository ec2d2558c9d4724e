//! Connections to MariaDB, kept between units of work.
//!
//! sqlx's own pool asks the server once more before it takes a connection back, without a bound: over a link that one end has forgotten
//! the answer never comes, and the connection's place in the pool is lost until the process ends. Here a connection comes back
//! without a question; and the first call that gets no answer has all others given up too, for they lead the same way.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::dialect::Isolation;
use crate::error::SqlError;
use crate::options::SqlOptions;

/// A connection that nobody needed for so long is closed.
const IDLE: Duration = Duration::from_secs(600);

/// A lock is waited for this long at most, in seconds.
const LONGEST_LOCK_WAIT: u64 = 3;

/// A commit whose answer got lost is not repeated, and a lock is not waited for as long as the whole call may take.
/// Without autocommit the first statement begins the transaction: one round trip less for each.
/// A transaction whose client is out of reach must not lock the others out until the system notices.
fn greeting(isolation: Isolation, timeout: Duration) -> String {
    let (isolation, wait) = (isolation.as_str(), timeout.as_secs() * 2 / 5);
    let wait = wait.clamp(1, LONGEST_LOCK_WAIT);
    format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL {isolation}; SET SESSION autocommit = 0, \
         innodb_lock_wait_timeout = {wait}, sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES') \
         /*M!100300 , idle_transaction_timeout = 5 */"
    )
}

/// At most so many connections, made when they are needed.
pub(crate) struct Connections {
    options: MySqlConnectOptions,
    /// What a new connection is told first.
    greeting: String,
    permits: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// Counts how often all connections were given up.
    epoch: u64,
    /// The last one used is the next to be used.
    connections: Vec<(MySqlConnection, Instant)>,
}

impl Connections {
    pub(crate) fn new(
        options: MySqlConnectOptions,
        isolation: Isolation,
        limits: &SqlOptions,
    ) -> Arc<Self> {
        let most = limits.max_connections;
        let permits = Arc::new(Semaphore::new(usize::try_from(most.max(1)).unwrap_or(1)));
        Arc::new(Self {
            options,
            greeting: greeting(isolation, limits.timeout),
            permits,
            idle: Mutex::default(),
        })
    }

    /// Waits for a free place, takes an idle connection or makes one. The caller bounds it.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<Lease, SqlError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| SqlError::Database(sqlx::Error::PoolClosed))?;
        let (epoch, idle) = {
            let mut idle = self.idle();
            (idle.epoch, idle.connections.pop())
        };
        let connection = match idle {
            Some((connection, _)) => connection,
            None => {
                let mut connection = self.options.connect().await?;
                let greeting = AssertSqlSafe(self.greeting.clone());
                connection.execute(sqlx::raw_sql(greeting)).await?;
                connection
            }
        };
        Ok(Lease {
            connection,
            epoch,
            home: Arc::clone(self),
            _permit: permit,
        })
    }

    /// Gives up every connection made so far: those at work when their work is done.
    pub(crate) fn give_up(&self) {
        let given_up = {
            let mut idle = self.idle();
            idle.epoch += 1;
            std::mem::take(&mut idle.connections)
        };
        drop(given_up);
    }

    /// Lets nobody acquire any more, and says goodbye to the server. The caller bounds it.
    pub(crate) async fn close(&self) {
        self.permits.close();
        let connections = std::mem::take(&mut self.idle().connections);
        for (connection, _) in connections {
            // Who does not answer to a goodbye is gone all the same.
            let _ = connection.close().await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection at work. Dropped without [`Lease::give_back`] it is closed.
pub(crate) struct Lease {
    connection: MySqlConnection,
    epoch: u64,
    home: Arc<Connections>,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// Keeps it for the next unit of work, unless all were given up meanwhile.
    pub(crate) fn give_back(self) {
        let Self {
            connection,
            epoch,
            home,
            _permit,
        } = self;
        let now = Instant::now();
        let mut idle = home.idle();
        if idle.epoch == epoch && !home.permits.is_closed() {
            idle.connections
                .retain(|(_, since)| now.duration_since(*since) < IDLE);
            idle.connections.push((connection, now));
        }
    }
}

impl Deref for Lease {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        &mut self.connection
    }
}
