//! The audit: who did what, and how it ended. One row for each decision.
//!
//! # Contract
//! - `append` keeps a row as it is; the same row again changes nothing.
//! - `list` tells rows that match a filter, the newest first (by time, then by id), at most so many; the cursor of a page
//!   continues after it. A row that is appended with an older time than the page's last is on a later page, with a newer one on
//!   none: who wants those begins again.
//! - `sweep` forgets the oldest rows before a moment, at most so many, and tells how many.
//! - No row holds a secret, a token or a password: who appends sees to that.
//!
//! # Implementing
//! [`crate::MemoryAccounts`] is the complete model to compare with. Prove yours with `auth_testkit::audit_store_cases!`.

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use auth_base::text::seen;

use crate::id::AuditId;

/// Rows on one page at most.
pub const LARGEST_PAGE: u32 = 500;
/// Bytes of each text of a row.
pub const LONGEST_TEXT: usize = 254;

/// Keeps the audit. The module says what must hold.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Keeps a row.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken. It may have been kept all the same.
    async fn append(&self, row: &AuditRow) -> Result<(), StoreError>;

    /// Tells rows that match, the newest first: at most `most` (1 to [`LARGEST_PAGE`]; what is out of bounds is put to the
    /// nearer bound), and only those after `after`.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken, or did not find them in time.
    async fn list(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        most: u32,
    ) -> Result<AuditPage, StoreError>;

    /// Forgets the oldest rows before `before_ms`, at most `most` of them, and tells how many.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn sweep(&self, before_ms: i64, most: u32) -> Result<u64, StoreError>;
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused: the caller may not, or asked for something that cannot be.
    Refused,
    /// It could not be done: something of ours was broken.
    Failed,
}

impl Outcome {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// Reads what [`Self::as_str`] tells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }
}

/// A text of a row: at most 254 bytes, without what nobody sees. A longer one is cut, for a decision is written down whatever
/// the caller sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditText(String);

impl AuditText {
    /// Takes a text.
    pub fn new(text: &str) -> Self {
        Self(seen(text, LONGEST_TEXT))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for AuditText {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// A new id.
    pub id: AuditId,
    /// When, in epoch milliseconds.
    pub at_ms: i64,
    /// Who: an account's id or a client's, or what was typed as an e-mail address by who did not get in.
    pub actor: AuditText,
    /// What, as a word of the service's own: `login`, `account.disable`.
    pub action: AuditText,
    /// To whom or what.
    pub subject: AuditText,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it ended so, as a code.
    pub reason: Option<AuditText>,
    /// At which peer of the mesh.
    pub peer: Option<AuditText>,
    /// The id of the request, to find it in the logs.
    pub request_id: Option<AuditText>,
    /// Where the request came from.
    pub address: Option<AuditText>,
}

/// Which rows are asked for. Each `None` leaves all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this actor.
    pub actor: Option<AuditText>,
    /// Of this action.
    pub action: Option<AuditText>,
    /// About this subject.
    pub subject: Option<AuditText>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// At this peer.
    pub peer: Option<AuditText>,
    /// At this time or later, in epoch milliseconds.
    pub from_ms: Option<i64>,
    /// Before this time, in epoch milliseconds.
    pub until_ms: Option<i64>,
}

impl AuditFilter {
    /// Tells whether a row is asked for.
    pub fn matches(&self, row: &AuditRow) -> bool {
        fn is<T: PartialEq>(asked: &Option<T>, held: &T) -> bool {
            asked.as_ref().is_none_or(|asked| asked == held)
        }
        is(&self.actor, &row.actor)
            && is(&self.action, &row.action)
            && is(&self.subject, &row.subject)
            && is(&self.outcome, &row.outcome)
            && (self.peer.is_none() || self.peer == row.peer)
            && self.from_ms.is_none_or(|from| row.at_ms >= from)
            && self.until_ms.is_none_or(|until| row.at_ms < until)
    }
}

/// Where a page ended: rows after it are older, or as old with a smaller id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditCursor {
    /// The time of its last row.
    pub at_ms: i64,
    /// The id of its last row.
    pub id: AuditId,
}

/// One page of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// Its rows, the newest first.
    pub rows: Vec<AuditRow>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<AuditCursor>,
}

impl AuditPage {
    /// Makes a page of rows in order, of which one more than `most` were looked for.
    pub fn of(mut rows: Vec<AuditRow>, most: usize) -> Self {
        let has_more = rows.len() > most;
        rows.truncate(most);
        let last = rows.last().filter(|_| has_more);
        let next = last.map(|row| AuditCursor {
            at_ms: row.at_ms,
            id: row.id,
        });
        Self { rows, next }
    }

    /// How many rows a page has, within the bounds.
    pub fn within_bounds(most: u32) -> u32 {
        most.clamp(1, LARGEST_PAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_sent_is_written_down() {
        let text = AuditText::new(&format!("a\u{1b}[2Jb\r\n{}", "\u{20ac}".repeat(1000)));
        assert!(text.as_str().starts_with("a[2Jb"));
        assert!(text.as_str().len() <= LONGEST_TEXT);
        assert_eq!(AuditText::new(text.as_str()), text);
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
        }
    }
}
