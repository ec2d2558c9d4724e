//! Sealing everything anew with the first key, so that an older one can be taken out of the configuration: what is done with a
//! value, what is counted, and how a run goes on. The store reads and writes.
//!
//! # Implementing
//! Go through a column in the order of its rows' keys, at most [`PAGE`] rows after [`Progress::after`] in one transaction. Ask
//! [`Vault::reseal`](crate::Vault::reseal) about each value, and write the new one only where the value still is what was
//! read: so who runs beside this keeps what it writes. Count into a [`Page`], and hand it to [`Progress::add`], until that
//! gives the whole column. What a run has done stays done, and the next run passes over it.

use std::fmt;

/// Rows a transaction: few, for others wait for their locks.
pub const PAGE: usize = 100;
/// A page whose rows were changed meanwhile is looked at again so often.
const LOOKS: u32 = 5;
/// So many rows that cannot be read are named; all are counted.
const NAMED: usize = 100;

/// What a run has done. Its text is for the one who asked for it: a line for each column and each unreadable row, and what
/// comes next.
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

impl fmt::Display for Resealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ResealedColumn {
            column,
            resealed,
            fresh,
            overtaken,
            unreadable,
            unreadable_rows,
        } in &self.columns
        {
            write!(
                f,
                "{column}: {resealed} sealed anew, {fresh} already, {unreadable} unreadable"
            )?;
            if *overtaken > 0 {
                write!(f, ", {overtaken} changed meanwhile")?;
            }
            writeln!(f)?;
            for UnreadableRow { row, reason } in unreadable_rows {
                // A row that was written by hand may be named by anything.
                writeln!(f, "  unreadable: {}: {reason}", row.escape_debug())?;
            }
        }
        f.write_str(match self.is_complete() {
            true => {
                "every value is under the first key; the older ones can be taken out of the configuration"
            }
            false => {
                "not complete: keep the older keys, mend what is unreadable, and run this again"
            }
        })
    }
}

/// What became of a page of rows.
#[derive(Debug, Default)]
pub struct Page {
    /// So many values were sealed anew.
    pub resealed: u64,
    /// So many were sealed with the first key already.
    pub fresh: u64,
    /// So many were another when they were to be written.
    pub overtaken: u64,
    /// The rows that cannot be read.
    pub unreadable: Vec<UnreadableRow>,
    /// The key of the last row; `None` when there are no more.
    pub last: Option<Vec<String>>,
}

impl Page {
    /// Counts a value that was written anew, or not: `rows` is how many rows still held what was read.
    pub fn written(&mut self, rows: u64) {
        match rows {
            0 => self.overtaken += 1,
            _ => self.resealed += 1,
        }
    }

    /// Counts a value that cannot be read, and names its row.
    pub fn unreadable(&mut self, key: &[String], reason: &dyn fmt::Display) {
        self.unreadable.push(UnreadableRow {
            row: key.join("/"),
            reason: reason.to_string(),
        });
    }
}

/// What was done in a column so far.
#[derive(Debug)]
pub struct Progress {
    done: ResealedColumn,
    /// Sealed by earlier looks at the page at hand, and found fresh by the next one.
    of_page: u64,
    looks: u32,
    after: Option<Vec<String>>,
}

impl Progress {
    /// Nothing yet, in `column`.
    pub fn of(column: &'static str) -> Self {
        let done = ResealedColumn {
            column,
            ..ResealedColumn::default()
        };
        Self {
            done,
            of_page: 0,
            looks: 0,
            after: None,
        }
    }

    /// The key of the row before the page at hand; `None` at the beginning.
    pub fn after(&self) -> Option<&[String]> {
        self.after.as_deref()
    }

    /// Counts a look at a page; gives the whole when that was the last. A page that somebody else has changed is looked at
    /// again, five times at most.
    pub fn add(&mut self, page: Page) -> Option<ResealedColumn> {
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
    fn a_page_that_was_overtaken_is_looked_at_again_and_counted_once() {
        let mut progress = Progress::of("table.column");
        assert!(progress.add(page(3, 5, 2, Some("j"))).is_none());
        assert_eq!(progress.after(), None, "the same page again");
        assert!(progress.add(page(2, 8, 0, Some("j"))).is_none());
        assert_eq!(progress.after(), Some(&["j".to_owned()][..]));
        let done = progress.add(page(0, 1, 0, None)).unwrap();
        assert_eq!((done.resealed, done.fresh, done.overtaken), (5, 6, 0));
    }

    #[test]
    fn what_is_always_overtaken_is_reported_and_left() {
        let mut progress = Progress::of("table.column");
        for _ in 1..LOOKS {
            assert!(progress.add(page(0, 0, 1, None)).is_none());
        }
        let done = progress.add(page(0, 0, 1, None)).unwrap();
        assert_eq!(done.overtaken, 1);
        let columns = vec![done];
        assert!(!Resealed { columns }.is_complete());
    }

    #[test]
    fn a_report_names_rows_and_says_what_comes_next() {
        let column = ResealedColumn {
            column: "hmac_credential.secret_hash",
            resealed: 3,
            fresh: 1,
            ..ResealedColumn::default()
        };
        let whole = Resealed {
            columns: vec![column.clone()],
        };
        assert_eq!(
            whole.to_string(),
            "hmac_credential.secret_hash: 3 sealed anew, 1 already, 0 unreadable\n\
             every value is under the first key; the older ones can be taken out of the configuration"
        );
        let broken = ResealedColumn {
            overtaken: 2,
            unreadable: 1,
            unreadable_rows: vec![UnreadableRow {
                row: "http/a\nb".to_owned(),
                reason: "not a sealed value".to_owned(),
            }],
            ..column
        };
        let columns = vec![broken];
        assert_eq!(
            Resealed { columns }.to_string(),
            "hmac_credential.secret_hash: 3 sealed anew, 1 already, 1 unreadable, 2 changed meanwhile\n  \
             unreadable: http/a\\nb: not a sealed value\n\
             not complete: keep the older keys, mend what is unreadable, and run this again"
        );
    }
}
