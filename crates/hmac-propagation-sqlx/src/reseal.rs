//! Sealing everything anew with the first key, so that an older one can be taken out of the configuration.
//!
//! A value is written only where it still is what was read, so a peer that runs beside this keeps what it writes. A page is one
//! transaction; what a run has done stays done, and the next run passes over it.

use std::sync::LazyLock;

use secrets_at_rest::reseal::{PAGE, Page};

use crate::database::{Session, Value, Work};
use crate::error::SqlError;
use crate::secrets::{Place, Resealing, Vault};

pub use secrets_at_rest::reseal::{Resealed, ResealedColumn, UnreadableRow};

/// A column of sealed values, with the SQL that goes through it.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    key: usize,
    place: for<'a> fn(&'a [String]) -> Place<'a>,
    /// Parameters: the limit.
    first: String,
    /// Parameters: the key of the row before as far as each of its parts, one after the other; then the limit.
    next: String,
    /// Parameters: the new value, the key, the value that was read.
    write: String,
}

/// All columns of sealed values.
pub(crate) static COLUMNS: LazyLock<[Column; 3]> = LazyLock::new(|| {
    const CREDENTIAL: &[&str] = &["track", "client_id"];
    const DELIVERY: &[&str] = &["track", "client_id", "target_amqp_queue"];
    [
        Column::new(
            "hmac_propagation_target.propagation_secret",
            &["target_amqp_queue"],
            |key| Place::propagation_secret(&key[0]),
        ),
        Column::new("hmac_credential.secret_hash", CREDENTIAL, |key| {
            Place::credential_hash(&key[0], &key[1])
        }),
        Column::new("hmac_credential_target.secret_hash", DELIVERY, |key| {
            Place::delivery_hash(&key[0], &key[1], &key[2])
        }),
    ]
});

impl Column {
    fn new(name: &'static str, key: &[&str], place: for<'a> fn(&'a [String]) -> Place<'a>) -> Self {
        let (table, value) = name.split_once('.').unwrap_or_default();
        let names = key.join(", ");
        let equal = |key: &[&str]| {
            key.iter()
                .map(|part| format!("{part} = ?"))
                .collect::<Vec<_>>()
                .join(" AND ")
        };
        let later: Vec<String> = (0..key.len())
            .map(|part| match part {
                0 => format!("{} > ?", key[0]),
                _ => format!("({} AND {} > ?)", equal(&key[..part]), key[part]),
            })
            .collect();
        let select = format!("SELECT {names}, {value} FROM {table} WHERE {value} IS NOT NULL");
        Self {
            name,
            key: key.len(),
            place,
            first: format!("{select} ORDER BY {names} LIMIT ?"),
            next: format!(
                "{select} AND ({}) ORDER BY {names} LIMIT ?",
                later.join(" OR ")
            ),
            write: format!(
                "UPDATE {table} SET {value} = ? WHERE {} AND {value} = ?",
                equal(key)
            ),
        }
    }
}

/// Seals one page of a column anew.
pub(crate) struct ResealPage<'a> {
    pub(crate) column: &'static Column,
    /// The key of the row before; `None` at the beginning.
    pub(crate) after: Option<&'a [String]>,
    pub(crate) vault: &'a Vault,
}

impl Work for ResealPage<'_> {
    type Output = Page;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Page, SqlError> {
        let mut page = Page::default();
        let rows = self.read(session).await?;
        let is_last = rows.len() < PAGE;
        for (key, sealed) in rows {
            let place = (self.column.place)(&key);
            match self.vault.reseal(&place, &sealed)? {
                Resealing::Fresh => page.fresh += 1,
                Resealing::Anew(anew) => {
                    page.written(self.write(session, &key, &sealed, &anew).await?);
                }
                Resealing::Unreadable(error) => page.unreadable(&key, &error),
            }
            page.last = Some(key);
        }
        page.last = page.last.filter(|_| !is_last);
        Ok(page)
    }
}

impl ResealPage<'_> {
    /// The rows of the page: the parts of each one's key, and the sealed value.
    async fn read(&self, session: &mut Session) -> Result<Vec<(Vec<String>, String)>, SqlError> {
        let mut values = Vec::new();
        let sql = match self.after {
            None => &self.column.first,
            Some(after) => {
                for part in 1..=after.len() {
                    values.extend(after[..part].iter().map(|part| Value::Text(part)));
                }
                &self.column.next
            }
        };
        values.push(Value::Int(PAGE as i64));
        let mut rows = Vec::new();
        for row in session.fetch(sql, &values).await? {
            let part = |index| row.text(index, self.column.name);
            let key = (0..self.column.key)
                .map(part)
                .collect::<Result<Vec<_>, _>>()?;
            rows.push((key, part(self.column.key)?));
        }
        Ok(rows)
    }

    /// Writes unless the value is another by now; tells how many rows that were.
    async fn write(
        &self,
        session: &mut Session,
        key: &[String],
        read: &str,
        anew: &str,
    ) -> Result<u64, SqlError> {
        let key = key.iter().map(|part| Value::Text(part));
        let values: Vec<Value<'_>> = std::iter::once(Value::Text(anew))
            .chain(key)
            .chain([Value::Text(read)])
            .collect();
        Ok(session.execute(&self.column.write, &values).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_after_the_whole_key() {
        let sql: Vec<&str> = COLUMNS.iter().map(|column| column.next.as_str()).collect();
        assert_eq!(
            sql[2],
            "SELECT track, client_id, target_amqp_queue, secret_hash FROM hmac_credential_target \
             WHERE secret_hash IS NOT NULL AND (track > ? OR (track = ? AND client_id > ?) \
             OR (track = ? AND client_id = ? AND target_amqp_queue > ?)) \
             ORDER BY track, client_id, target_amqp_queue LIMIT ?"
        );
        assert!(sql[0].contains("(target_amqp_queue > ?)"));
    }
}
