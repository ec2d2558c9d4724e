//! Failures in memory.

use std::time::Duration;

use async_trait::async_trait;
use auth_base::store_error::StoreError;

use crate::failures::{FailureKey, FailureStore, Failures, count_one};
use crate::memory::tables::MemoryAccounts;

#[async_trait]
impl FailureStore for MemoryAccounts {
    async fn add(
        &self,
        key: &FailureKey,
        now_ms: i64,
        window: Duration,
    ) -> Result<Failures, StoreError> {
        let mut tables = self.tables();
        let held = tables.failures.entry(*key).or_default();
        *held = count_one(*held, now_ms, window);
        Ok(*held)
    }

    async fn count(&self, key: &FailureKey, now_ms: i64) -> Result<Failures, StoreError> {
        let held = self.tables().failures.get(key).copied();
        Ok(held.unwrap_or_default().at(now_ms))
    }

    async fn clear(&self, key: &FailureKey) -> Result<(), StoreError> {
        self.tables().failures.remove(key);
        Ok(())
    }

    async fn sweep(&self, now_ms: i64, most: u32) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let ended = tables
            .failures
            .iter()
            .filter(|(_, held)| held.at(now_ms).count == 0);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let ended: Vec<FailureKey> = ended.map(|(key, _)| *key).take(most).collect();
        for key in &ended {
            tables.failures.remove(key);
        }
        Ok(u64::try_from(ended.len()).unwrap_or(u64::MAX))
    }
}
