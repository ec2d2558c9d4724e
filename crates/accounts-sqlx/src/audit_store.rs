//! The audit in a database.

use accounts::{AuditCursor, AuditFilter, AuditPage, AuditRow, AuditStore, AuditText, Outcome};
use async_trait::async_trait;
use auth_base::store_error::StoreError;
use sql_link::{Mode, Session, SqlError, Statement, Value, Work};

use crate::audit_rows::{insert, row};
use crate::database::SqlAccounts;

/// Which rows match, and the order of the page; a filter that is not set is NULL.
const LIST: &str = "SELECT id, at, actor, action, subject, outcome, reason, peer, request_id, address FROM audit \
     WHERE (? IS NULL OR actor = ?) AND (? IS NULL OR action = ?) AND (? IS NULL OR subject = ?) \
     AND (? IS NULL OR outcome = ?) AND (? IS NULL OR peer = ?) AND at >= ? AND at < ? \
     AND (at < ? OR (at = ? AND id < ?)) ORDER BY at DESC, id DESC LIMIT ?";
const SWEEP: Statement = Statement {
    mariadb: "DELETE FROM audit WHERE at < ? ORDER BY at, id LIMIT ?",
    sqlite: "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ? ORDER BY at, id LIMIT ?)",
};

#[async_trait]
impl AuditStore for SqlAccounts {
    async fn append(&self, row: &AuditRow) -> Result<(), StoreError> {
        Ok(self.run(&Append(row)).await?)
    }

    async fn list(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        most: u32,
    ) -> Result<AuditPage, StoreError> {
        let list = List {
            filter,
            after,
            most: AuditPage::within_bounds(most),
        };
        Ok(self.run(&list).await?)
    }

    async fn sweep(&self, before_ms: i64, most: u32) -> Result<u64, StoreError> {
        Ok(self.run(&Sweep { before_ms, most }).await?)
    }
}

struct Append<'a>(&'a AuditRow);

impl Work for Append<'_> {
    type Output = ();
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        insert(session, self.0).await
    }
}

struct List<'a> {
    filter: &'a AuditFilter,
    after: Option<AuditCursor>,
    most: u32,
}

impl Work for List<'_> {
    type Output = AuditPage;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<AuditPage, SqlError> {
        let filter = self.filter;
        let text = |text: &'_ Option<AuditText>| text.as_ref().map(|it| it.as_str().to_owned());
        let equal = [
            text(&filter.actor),
            text(&filter.action),
            text(&filter.subject),
            filter.outcome.map(Outcome::as_str).map(str::to_owned),
            text(&filter.peer),
        ];
        // Each stands twice: whether it is set, and what it is.
        let mut values: Vec<Value<'_>> = equal
            .iter()
            .flat_map(|it| [Value::OptionalText(it.as_deref()); 2])
            .collect();
        values.push(Value::Int(filter.from_ms.unwrap_or(i64::MIN)));
        values.push(Value::Int(filter.until_ms.unwrap_or(i64::MAX)));
        let before = self.after.map_or(i64::MAX, |after| after.at_ms);
        let id = self.after.map(|after| after.id.to_string());
        let id = id.unwrap_or_default();
        values.extend([Value::Int(before), Value::Int(before), Value::Text(&id)]);
        values.push(Value::Int(i64::from(self.most) + 1));
        let rows = session.fetch(LIST, &values).await?;
        let rows = rows.iter().map(row).collect::<Result<_, _>>()?;
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        Ok(AuditPage::of(rows, most))
    }
}

struct Sweep {
    before_ms: i64,
    most: u32,
}

impl Work for Sweep {
    type Output = u64;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        let values = [Value::Int(self.before_ms), Value::Int(self.most.into())];
        session.execute_as(&SWEEP, &values).await
    }
}
