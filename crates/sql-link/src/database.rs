//! The two databases behind one door: units of work, retried and bounded in time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_base::backoff::Backoff;

use crate::dialect::{Dialect, Isolation};
use crate::error::{Failure, Remedy, SqlError};
use crate::open::{self, Pool};
use crate::options::SqlOptions;
use crate::session::{Mode, Session};

/// A connection lost before the commit is replaced this often within one unit of work.
const RECONNECTS: u32 = 2;
/// Between the attempts of a unit that met somebody else's write.
const CONFLICT: Backoff = Backoff::new(Duration::from_millis(2), Duration::from_millis(128));

/// One unit of work: everything in it happens, or nothing.
///
/// # Contract
/// It may be run several times, so it keeps no state in between and does nothing but use its session. An `Err` rolls back what
/// it did.
pub trait Work: Sync {
    /// What it finds.
    type Output: Send;
    /// What it fails with.
    type Error: Failure;

    /// What it needs of its transaction.
    const MODE: Mode = Mode::Write;

    /// Runs it once, in a transaction that the caller commits.
    fn run(
        &self,
        session: &mut Session,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}

/// Connections to one schema, and their bounds. Clones share them.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    options: SqlOptions,
    statements: Arc<AtomicU64>,
}

impl Database {
    /// Tells whether `url` can be connected to at all, without connecting.
    ///
    /// # Errors
    /// [`SqlError::Url`].
    pub fn check_url(url: &str) -> Result<(), SqlError> {
        open::check(url)
    }

    /// Connects, within [`SqlOptions::timeout`]. A file that is not there is made; tables are not ([`crate::schema`]).
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn connect(
        url: &str,
        options: SqlOptions,
        isolation: Isolation,
    ) -> Result<Self, SqlError> {
        let timeout = options.timeout;
        let opening = async {
            let mut attempt = 0;
            loop {
                attempt += 1;
                match open::open(url, &options, isolation).await {
                    // Two replicas that open a new SQLite file at once: only one can turn its journal on.
                    Err(error)
                        if error.remedy() == Remedy::Conflict && attempt < options.max_attempts =>
                    {
                        tokio::time::sleep(CONFLICT.jittered(attempt - 1, &*options.random)).await;
                    }
                    opened => return opened,
                }
            }
        };
        let pool = tokio::time::timeout(timeout, opening)
            .await
            .map_err(|_| SqlError::Timeout(timeout))??;
        Ok(Self {
            pool,
            options,
            statements: Arc::default(),
        })
    }

    /// Which SQL it takes.
    pub fn dialect(&self) -> Dialect {
        match self.pool {
            Pool::MariaDb(_) => Dialect::MariaDb,
            Pool::Sqlite { .. } => Dialect::Sqlite,
        }
    }

    /// Counts the statements that were sent so far, transaction control included: each is one round trip.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Closes the connections. It returns within [`SqlOptions::timeout`].
    pub async fn close(&self) {
        let closing = tokio::time::timeout(self.options.timeout, self.pool.close());
        if closing.await.is_err() {
            tracing::warn!("the database connections did not close in time");
        }
    }

    /// Runs a unit of work, again on a write conflict or a lost connection, within [`SqlOptions::timeout`].
    ///
    /// # Errors
    /// What the work failed with. After an error whose remedy is [`Remedy::Later`] or [`Remedy::Reconnect`] it may have
    /// happened all the same: the answer to the commit may be what got lost.
    pub async fn run<W: Work>(&self, work: &W) -> Result<W::Output, W::Error> {
        self.run_within(work, self.options.timeout).await
    }

    /// Runs what takes longer than a call may, such as making tables: within twice [`SqlOptions::timeout`].
    pub(crate) async fn run_patiently<W: Work>(&self, work: &W) -> Result<W::Output, W::Error> {
        self.run_within(work, self.options.timeout * 2).await
    }

    async fn run_within<W: Work>(&self, work: &W, limit: Duration) -> Result<W::Output, W::Error> {
        let outcome = tokio::time::timeout(limit, self.run_with_retries(work)).await;
        outcome.unwrap_or_else(|_| {
            self.give_up();
            Err(SqlError::Timeout(limit).into())
        })
    }

    /// Where one connection leads nowhere, the others do not either.
    fn give_up(&self) {
        if let Pool::MariaDb(connections) = &self.pool {
            connections.give_up();
        }
    }

    async fn run_with_retries<W: Work>(&self, work: &W) -> Result<W::Output, W::Error> {
        let mut reconnects = 0;
        let mut attempt = 0;
        loop {
            let error = match self.attempt(work).await {
                Ok(output) => return Ok(output),
                Err(Attempt { error, may_repeat }) if may_repeat => error,
                Err(Attempt { error, .. }) => return Err(error),
            };
            attempt += 1;
            match error.remedy() {
                Remedy::Conflict if attempt < self.options.max_attempts => {
                    tokio::time::sleep(CONFLICT.jittered(attempt - 1, &*self.options.random)).await;
                }
                Remedy::Reconnect if reconnects < RECONNECTS => {
                    self.give_up();
                    reconnects += 1;
                }
                _ => return Err(error),
            }
            tracing::debug!(attempt, error = %error, "running a unit of work again");
        }
    }

    async fn attempt<W: Work>(&self, work: &W) -> Result<W::Output, Attempt<W::Error>> {
        let connection = self.pool.acquire().await.map_err(Attempt::may_repeat)?;
        let mut session = Session::new(connection, Arc::clone(&self.statements));
        session.begin(W::MODE).await.map_err(Attempt::may_repeat)?;
        match work.run(&mut session).await {
            Ok(output) => {
                session.commit(W::MODE).await.map_err(Attempt::of_commit)?;
                session.release();
                Ok(output)
            }
            Err(error) => {
                let usable = error.remedy() != Remedy::Reconnect;
                if usable && session.rollback(W::MODE).await.is_ok() {
                    session.release();
                }
                Err(Attempt::may_repeat(error))
            }
        }
    }
}

/// One attempt that failed.
struct Attempt<E> {
    error: E,
    may_repeat: bool,
}

impl<E: Failure> Attempt<E> {
    fn may_repeat(error: impl Into<E>) -> Self {
        Self {
            error: error.into(),
            may_repeat: true,
        }
    }

    /// A refused commit was rolled back; one that got no answer may have happened.
    fn of_commit(error: SqlError) -> Self {
        Self {
            may_repeat: error.remedy() == Remedy::Conflict,
            error: error.into(),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("dialect", &self.dialect())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
