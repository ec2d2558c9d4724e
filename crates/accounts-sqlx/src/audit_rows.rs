//! Rows of the audit.

use accounts::{AuditId, AuditRow, AuditText, Outcome};
use sql_link::{Row, Session, SqlError, Statement, Value};

const TABLE: &str = "audit";
const INSERT: Statement = Statement {
    mariadb: "INSERT INTO audit (id, at, actor, action, subject, outcome, reason, peer, request_id, address) \
              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE id = id",
    sqlite: "INSERT OR IGNORE INTO audit (id, at, actor, action, subject, outcome, reason, peer, request_id, address) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
};

/// Reads a row, with the columns in the order of the table.
pub(crate) fn row(row: &Row) -> Result<AuditRow, SqlError> {
    let corrupt = |problem| SqlError::corrupt(TABLE, problem);
    let text = |index| row.text(index, TABLE).map(|text| AuditText::new(&text));
    let optional = |index| -> Result<Option<AuditText>, SqlError> {
        Ok(row.optional_text(index)?.map(|text| AuditText::new(&text)))
    };
    let outcome = Outcome::parse(&row.text(5, TABLE)?);
    Ok(AuditRow {
        id: AuditId::parse(&row.text(0, TABLE)?).map_err(|_| corrupt("an id that is none"))?,
        at_ms: row.int(1, TABLE)?,
        actor: text(2)?,
        action: text(3)?,
        subject: text(4)?,
        outcome: outcome.ok_or_else(|| corrupt("an outcome that is unknown"))?,
        reason: optional(6)?,
        peer: optional(7)?,
        request_id: optional(8)?,
        address: optional(9)?,
    })
}

/// Writes a row, unless it is there.
pub(crate) async fn insert(session: &mut Session, row: &AuditRow) -> Result<(), SqlError> {
    fn optional(text: Option<&AuditText>) -> Value<'_> {
        Value::OptionalText(text.map(AuditText::as_str))
    }
    let id = row.id.to_string();
    let values = [
        Value::Text(&id),
        Value::Int(row.at_ms),
        Value::Text(row.actor.as_str()),
        Value::Text(row.action.as_str()),
        Value::Text(row.subject.as_str()),
        Value::Text(row.outcome.as_str()),
        optional(row.reason.as_ref()),
        optional(row.peer.as_ref()),
        optional(row.request_id.as_ref()),
        optional(row.address.as_ref()),
    ];
    session.execute_as(&INSERT, &values).await.map(drop)
}
