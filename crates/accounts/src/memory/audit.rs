//! The audit in memory.

use std::ops::Bound;

use async_trait::async_trait;
use auth_base::store_error::StoreError;

use crate::audit::{AuditCursor, AuditFilter, AuditPage, AuditRow, AuditStore};
use crate::memory::tables::MemoryAccounts;

#[async_trait]
impl AuditStore for MemoryAccounts {
    async fn append(&self, row: &AuditRow) -> Result<(), StoreError> {
        let place = AuditCursor {
            at_ms: row.at_ms,
            id: row.id,
        };
        let mut tables = self.tables();
        tables.audit.entry(place).or_insert_with(|| row.clone());
        Ok(())
    }

    async fn list(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        most: u32,
    ) -> Result<AuditPage, StoreError> {
        let most = usize::try_from(AuditPage::within_bounds(most)).unwrap_or(usize::MAX);
        let tables = self.tables();
        let end = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = tables.audit.range((Bound::Unbounded, end)).rev();
        let rows = rows.map(|(_, row)| row).filter(|row| filter.matches(row));
        Ok(AuditPage::of(rows.take(most + 1).cloned().collect(), most))
    }

    async fn sweep(&self, before_ms: i64, most: u32) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let mut count = 0;
        while count < u64::from(most) {
            match tables.audit.first_entry() {
                Some(oldest) if oldest.key().at_ms < before_ms => drop(oldest.remove()),
                _ => break,
            }
            count += 1;
        }
        Ok(count)
    }
}
