//! Failed sign-ins in a database.

use std::time::Duration;

use accounts::failures::{FailureStore, count_one};
use accounts::{FailureKey, Failures};
use async_trait::async_trait;
use auth_base::store_error::StoreError;
use sql_link::{Mode, Session, SqlError, Statement, Value, Work};

use crate::database::SqlAccounts;
use crate::failure_rows::{find, hold, write};

const CLEAR: &str = "DELETE FROM login_failures WHERE key_hash = ?";
const SWEEP: Statement = Statement {
    mariadb: "DELETE FROM login_failures WHERE window_ends_at <= ? ORDER BY window_ends_at LIMIT ?",
    sqlite: "DELETE FROM login_failures WHERE key_hash IN \
             (SELECT key_hash FROM login_failures WHERE window_ends_at <= ? ORDER BY window_ends_at LIMIT ?)",
};

#[async_trait]
impl FailureStore for SqlAccounts {
    async fn add(
        &self,
        key: &FailureKey,
        now_ms: i64,
        window: Duration,
    ) -> Result<Failures, StoreError> {
        let add = Add {
            key,
            now_ms,
            window,
        };
        Ok(self.run(&add).await?)
    }

    async fn count(&self, key: &FailureKey, now_ms: i64) -> Result<Failures, StoreError> {
        Ok(self.run(&Count(key)).await?.at(now_ms))
    }

    async fn clear(&self, key: &FailureKey) -> Result<(), StoreError> {
        Ok(self.run(&Clear(key)).await?)
    }

    async fn sweep(&self, now_ms: i64, most: u32) -> Result<u64, StoreError> {
        Ok(self.run(&Sweep { now_ms, most }).await?)
    }
}

struct Add<'a> {
    key: &'a FailureKey,
    now_ms: i64,
    window: Duration,
}

impl Work for Add<'_> {
    type Output = Failures;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Failures, SqlError> {
        let held = hold(session, self.key).await?;
        let counted = count_one(held, self.now_ms, self.window);
        write(session, self.key, &counted).await?;
        Ok(counted)
    }
}

struct Count<'a>(&'a FailureKey);

impl Work for Count<'_> {
    type Output = Failures;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Failures, SqlError> {
        find(session, self.0).await
    }
}

struct Clear<'a>(&'a FailureKey);

impl Work for Clear<'_> {
    type Output = ();
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let key = self.0.to_hex();
        session.execute(CLEAR, &[Value::Text(&key)]).await.map(drop)
    }
}

struct Sweep {
    now_ms: i64,
    most: u32,
}

impl Work for Sweep {
    type Output = u64;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        let values = [Value::Int(self.now_ms), Value::Int(self.most.into())];
        session.execute_as(&SWEEP, &values).await
    }
}
