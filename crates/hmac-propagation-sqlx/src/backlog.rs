//! How much is not done.

use std::sync::LazyLock;

use hmac_propagation::delivery::DeliveryStatus;

use crate::database::{Mode, Session, Work};
use crate::error::SqlError;
use crate::statements::{DELIVERIES, has_status};

// Only the rows that are not done are read: the index begins with the status.
static BACKLOG: LazyLock<String> = LazyLock::new(|| {
    let not_done = has_status("t", |status| !status.is_done());
    format!(
        "SELECT t.status, COUNT(*), MIN(t.change_ts) FROM {DELIVERIES} t WHERE {not_done} GROUP BY t.status"
    )
});

/// The deliveries that have not come to `success`.
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
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Backlog, SqlError> {
        let mut backlog = Backlog::default();
        for row in session.fetch(&BACKLOG, &[]).await? {
            let count = row.count(1, DELIVERIES)?;
            match DeliveryStatus::parse(&row.text(0, DELIVERIES)?) {
                Some(DeliveryStatus::Pending) => backlog.pending = count,
                Some(DeliveryStatus::Sent) => backlog.sent = count,
                Some(DeliveryStatus::Error) => backlog.error = count,
                Some(DeliveryStatus::Success) | None => continue,
            }
            let oldest = row.optional_int(2)?;
            backlog.oldest_change_ts = [backlog.oldest_change_ts, oldest]
                .into_iter()
                .flatten()
                .min();
        }
        Ok(backlog)
    }
}
