//! Sealing everything anew with the first key, so that an older one can be taken out of the configuration.
//!
//! A value is written only where it still is what was read, so a peer that runs beside this keeps what it writes. A page is one
//! transaction; what a run has done stays done, and the next run passes over it.

use std::sync::LazyLock;

use crate::database::{Session, Value, Work};
use crate::error::SqlError;
use crate::secrets::{Place, Vault};

/// Rows a transaction: few, for a running peer waits for their locks.
const PAGE: usize = 100;
/// A page whose rows were changed meanwhile is looked at again so often.
const LOOKS: u32 = 5;
/// So many rows that cannot be read are named; all are counted.
const NAMED: usize = 100;

/// What [`crate::SqlManagement::reseal`] has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// The columns that hold sealed values, in the order they were gone through.
    pub columns: Vec<ResealedColumn>,
}

/// What was done in one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResealedColumn {
    /// Its name, as `table.column`.
    pub column: &'static str,
    /// How many values are sealed with the first key now and were not before.
    pub resealed: u64,
    /// How many were already.
    pub fresh: u64,
    /// How many were changed by somebody else each time they were looked at: another run will find them.
    pub overtaken: u64,
    /// How many do not open with any of the keys. They are left as they are.
    pub unreadable: u64,
    /// The first 100 of those.
    pub unreadable_rows: Vec<UnreadableRow>,
}

/// A row with a value that does not open. Nothing of the value is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// The parts of the row's key, joined by `/`.
    pub row: String,
    /// Why the value does not open.
    pub reason: String,
}

impl Resealed {
    /// Tells whether every value is sealed with the first key, so that the others are needed no longer.
    pub fn is_complete(&self) -> bool {
        self.columns
            .iter()
            .all(|column| column.unreadable == 0 && column.overtaken == 0)
    }
}

/// A column of sealed values, with the SQL that goes through it.
pub(crate) struct Column {
    name: &'static str,
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

/// What became of a page.
#[derive(Default)]
pub(crate) struct Page {
    resealed: u64,
    fresh: u64,
    overtaken: u64,
    unreadable: Vec<UnreadableRow>,
    /// The key of the last row; `None` when there are no more.
    last: Option<Vec<String>>,
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
            match self.vault.open(&place, &sealed) {
                Ok(_) if self.vault.is_fresh(&sealed) => page.fresh += 1,
                Ok(plain) => {
                    let anew = self.vault.seal(&place, &plain)?;
                    match self.write(session, &key, &sealed, &anew).await? {
                        0 => page.overtaken += 1,
                        _ => page.resealed += 1,
                    }
                }
                Err(error) => {
                    page.unreadable.push(UnreadableRow {
                        row: key.join("/"),
                        reason: error.to_string(),
                    });
                }
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

/// What was done in a column so far.
pub(crate) struct Progress {
    done: ResealedColumn,
    /// Sealed by earlier looks at the page at hand, and found fresh by the next one.
    of_page: u64,
    looks: u32,
    /// The key of the row before the page at hand.
    pub(crate) after: Option<Vec<String>>,
}

impl Progress {
    pub(crate) fn of(column: &Column) -> Self {
        let done = ResealedColumn {
            column: column.name,
            ..ResealedColumn::default()
        };
        Self {
            done,
            of_page: 0,
            looks: 0,
            after: None,
        }
    }

    /// Counts a look at a page; gives the whole when that was the last.
    pub(crate) fn add(&mut self, page: Page) -> Option<ResealedColumn> {
        self.looks += 1;
        self.done.resealed += page.resealed;
        if page.overtaken > 0 && self.looks < LOOKS {
            self.of_page += page.resealed;
            return None;
        }
        self.done.fresh += page.fresh.saturating_sub(self.of_page);
        self.done.overtaken += page.overtaken;
        self.done.unreadable += page.unreadable.len() as u64;
        let room = NAMED.saturating_sub(self.done.unreadable_rows.len());
        self.done
            .unreadable_rows
            .extend(page.unreadable.into_iter().take(room));
        (self.of_page, self.looks, self.after) = (0, 0, page.last);
        self.after.is_none().then(|| std::mem::take(&mut self.done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(resealed: u64, fresh: u64, overtaken: u64, last: Option<&str>) -> Page {
        Page {
            resealed,
            fresh,
            overtaken,
            last: last.map(|key| vec![key.to_owned()]),
            ..Page::default()
        }
    }

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

    #[test]
    fn a_page_that_was_overtaken_is_looked_at_again_and_counted_once() {
        let mut progress = Progress::of(&COLUMNS[0]);
        assert!(progress.add(page(3, 5, 2, Some("j"))).is_none());
        assert_eq!(progress.after, None, "the same page again");
        assert!(progress.add(page(2, 8, 0, Some("j"))).is_none());
        assert_eq!(progress.after.as_deref(), Some(&["j".to_owned()][..]));
        let done = progress.add(page(0, 1, 0, None)).unwrap();
        assert_eq!((done.resealed, done.fresh, done.overtaken), (5, 6, 0));
    }

    #[test]
    fn what_is_always_overtaken_is_reported_and_left() {
        let mut progress = Progress::of(&COLUMNS[0]);
        for _ in 1..LOOKS {
            assert!(progress.add(page(0, 0, 1, None)).is_none());
        }
        let done = progress.add(page(0, 0, 1, None)).unwrap();
        assert_eq!(done.overtaken, 1);
        assert!(
            !Resealed {
                columns: vec![done]
            }
            .is_complete()
        );
    }
}
