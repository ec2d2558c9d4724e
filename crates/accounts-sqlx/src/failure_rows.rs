//! Rows of failed sign-ins.

use accounts::{FailureKey, Failures};
use sql_link::{Row, Session, SqlError, Statement, Value, locking};

const TABLE: &str = "login_failures";

/// Makes the row if it is not there, and takes its lock: two who count the first failure at once would both find nothing.
const TOUCH: Statement = Statement {
    mariadb: "INSERT INTO login_failures (key_hash, count, window_ends_at) VALUES (?, 0, 0) \
              ON DUPLICATE KEY UPDATE count = count",
    sqlite: "INSERT OR IGNORE INTO login_failures (key_hash, count, window_ends_at) VALUES (?, 0, 0)",
};
const HELD: Statement =
    locking!("SELECT count, window_ends_at FROM login_failures WHERE key_hash = ?");
const FIND: &str = "SELECT count, window_ends_at FROM login_failures WHERE key_hash = ?";
const UPDATE: &str = "UPDATE login_failures SET count = ?, window_ends_at = ? WHERE key_hash = ?";

fn failures(rows: &[Row]) -> Result<Failures, SqlError> {
    let Some(row) = rows.first() else {
        return Ok(Failures::default());
    };
    Ok(Failures {
        count: u32::try_from(row.count(0, TABLE)?).unwrap_or(u32::MAX),
        window_ends_at_ms: row.int(1, TABLE)?,
    })
}

/// What is held, without a lock.
pub(crate) async fn find(session: &mut Session, key: &FailureKey) -> Result<Failures, SqlError> {
    let key = key.to_hex();
    failures(&session.fetch(FIND, &[Value::Text(&key)]).await?)
}

/// What is held, locked.
pub(crate) async fn hold(session: &mut Session, key: &FailureKey) -> Result<Failures, SqlError> {
    let key = key.to_hex();
    session.execute_as(&TOUCH, &[Value::Text(&key)]).await?;
    failures(&session.fetch_as(&HELD, &[Value::Text(&key)]).await?)
}

/// Writes a row that is there.
pub(crate) async fn write(
    session: &mut Session,
    key: &FailureKey,
    failures: &Failures,
) -> Result<(), SqlError> {
    let key = key.to_hex();
    let values = [
        Value::Int(failures.count.into()),
        Value::Int(failures.window_ends_at_ms),
        Value::Text(&key),
    ];
    session.execute(UPDATE, &values).await.map(drop)
}
