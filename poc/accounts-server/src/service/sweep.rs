//! Forgetting what has ended, a bounded number of rows at a time.

use std::time::Duration;

use auth_base::store_error::StoreError;

use crate::service::accounts::{Accounts, milliseconds};

/// Rows that one call to a store forgets at most: a longer one would hold up sign-ins.
const ROWS: u32 = 1_000;

/// Calls that one sweep makes at most of each kind.
const CALLS: u32 = 20;

/// What others get between two of them.
const PAUSE: Duration = Duration::from_millis(50);

/// A family that ended is known so much longer: until then a late token is told what it died of.
const ENDED_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How many rows were forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Windows of failed sign-ins.
    pub failures: u64,
    /// Refresh families and their tokens.
    pub refresh: u64,
    /// Rows of the audit.
    pub audit: u64,
}

impl Accounts {
    /// Forgets failures whose window has ended, families that ended a day ago, and what of the audit is too old. What is left
    /// over is for the next sweep.
    ///
    /// # Errors
    /// That of the store.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let now_ms = self.clock.now_ms();
        let before = |kept: Duration| now_ms.saturating_sub(milliseconds(kept));
        let (ended, audit) = (before(ENDED_KEPT), before(self.policy.audit));
        // One that fails stops none of the others.
        let failures = repeat(|| self.stores.failures.sweep(now_ms, ROWS)).await;
        let refresh = repeat(|| self.stores.refresh.sweep(ended, ROWS)).await;
        let audit = repeat(|| self.stores.audit.sweep(audit, ROWS)).await;
        Ok(Swept {
            failures: failures?,
            refresh: refresh?,
            audit: audit?,
        })
    }
}

async fn repeat<F>(sweep: impl Fn() -> F) -> Result<u64, StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let mut swept = 0;
    for _ in 0..CALLS {
        match sweep().await? {
            0 => break,
            rows => swept += rows,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(swept)
}
