//! Many rows in one statement.

use sql_link::{Row, Session, Value};

use crate::error::SqlError;
use crate::statements::bulk::{Bulk, Few};

/// So many rows are handed over as plain parameters.
const FEW: usize = 2;
/// Rows handed over in one statement.
const ROWS_A_STATEMENT: usize = 500;

/// One row of a bulk statement, in the order of the statement's columns.
pub(crate) type JsonRow = Vec<serde_json::Value>;

fn of(value: &serde_json::Value) -> Value<'_> {
    match value {
        serde_json::Value::Number(number) => number
            .as_i64()
            .map_or(Value::OptionalText(None), Value::Int),
        other => Value::OptionalText(other.as_str()),
    }
}

/// A row's values with those of its key last.
fn in_order(row: &JsonRow, key: usize) -> Vec<Value<'_>> {
    let (key, rest) = row.split_at(key.min(row.len()));
    rest.iter().chain(key).map(of).collect()
}

/// What a session does with many rows at once.
pub(crate) trait Bulks {
    /// Runs a bulk statement over all rows; nothing for no rows.
    async fn execute_bulk(&mut self, bulk: &'static Bulk, rows: &[JsonRow])
    -> Result<(), SqlError>;

    /// Runs a bulk query over all keys; nothing for no keys.
    async fn fetch_bulk(
        &mut self,
        bulk: &'static Bulk,
        keys: &[JsonRow],
    ) -> Result<Vec<Row>, SqlError>;
}

impl Bulks for Session {
    async fn execute_bulk(
        &mut self,
        bulk: &'static Bulk,
        rows: &[JsonRow],
    ) -> Result<(), SqlError> {
        match &bulk.few {
            Few::Together(sql) if (1..=sql.len()).contains(&rows.len()) => {
                let values: Vec<Value<'_>> = rows.iter().flatten().map(of).collect();
                self.execute(&sql[rows.len() - 1], &values).await?;
            }
            Few::Each { sql, key } if rows.len() <= FEW => {
                for row in rows {
                    self.execute(sql, &in_order(row, *key)).await?;
                }
            }
            _ => {
                for part in rows.chunks(ROWS_A_STATEMENT) {
                    let json = serde_json::to_string(part)?;
                    self.execute(&bulk.json, &[Value::Text(&json)]).await?;
                }
            }
        }
        Ok(())
    }

    async fn fetch_bulk(
        &mut self,
        bulk: &'static Bulk,
        keys: &[JsonRow],
    ) -> Result<Vec<Row>, SqlError> {
        let mut rows = Vec::new();
        match &bulk.few {
            Few::Together(sql) if (1..=sql.len()).contains(&keys.len()) => {
                let values: Vec<Value<'_>> = keys.iter().flatten().map(of).collect();
                rows = self.fetch(&sql[keys.len() - 1], &values).await?;
            }
            _ => {
                for part in keys.chunks(ROWS_A_STATEMENT) {
                    let json = serde_json::to_string(part)?;
                    rows.extend(self.fetch(&bulk.json, &[Value::Text(&json)]).await?);
                }
            }
        }
        Ok(rows)
    }
}
