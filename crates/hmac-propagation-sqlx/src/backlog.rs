//! How much is not done.

use crate::database::{Mode, Session, Work};
use crate::error::SqlError;

const PIVOT: &str = "hmac_credential_target";
// Only the rows that are not done are read: the index begins with the status.
const BACKLOG: &str = "SELECT status, COUNT(*), MIN(change_ts) FROM hmac_credential_target \
     WHERE status IN ('pending', 'sent', 'error') GROUP BY status";

/// The pivots that have not come to `success`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Wait to be sent.
    pub pending: u64,
    /// Wait for the target's answer.
    pub sent: u64,
    /// Were refused, or cannot be sent.
    pub error: u64,
    /// When the oldest change among them was accepted; epoch milliseconds.
    pub oldest_change_ts: Option<i64>,
}

/// Counts them.
pub(crate) struct CountBacklog;

impl Work for CountBacklog {
    type Output = Backlog;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Backlog, SqlError> {
        let mut backlog = Backlog::default();
        for row in session.fetch(BACKLOG, &[]).await? {
            let count = u64::try_from(row.required_int(1, PIVOT)?).unwrap_or_default();
            match row.required_text(0, PIVOT)?.as_str() {
                "pending" => backlog.pending = count,
                "sent" => backlog.sent = count,
                _ => backlog.error = count,
            }
            let oldest = row.int(2)?;
            backlog.oldest_change_ts = [backlog.oldest_change_ts, oldest]
                .into_iter()
                .flatten()
                .min();
        }
        Ok(backlog)
    }
}
