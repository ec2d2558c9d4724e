//! The rows that are not done, as `/metrics` tells them.

use std::time::Duration;

use auth_base::error_chain::chain;
use mesh_management::administration::{Administration, Backlog};
use metrics::gauge;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// Counting takes no longer than this, or the number is not known.
const LIMIT: Duration = Duration::from_secs(2);

/// A number is used again for this long, however many ask.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// What is known of the rows that are not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// There are none to know of: the peer only receives.
    None,
    /// The management store is away.
    Unknown,
    /// So many.
    Counted(Backlog),
}

/// Counts them, not more often than need be.
#[derive(Default)]
pub(crate) struct RowsCounter {
    kept: Mutex<Option<(Instant, Rows)>>,
}

impl RowsCounter {
    /// Counts, or tells what was counted a moment ago.
    pub(crate) async fn count(&self, store: &dyn Administration) -> Rows {
        let mut kept = self.kept.lock().await;
        if let Some((at, rows)) = *kept
            && at.elapsed() < KEPT_FOR
        {
            return rows;
        }
        let rows = match timeout(LIMIT, store.backlog()).await {
            Ok(Ok(backlog)) => Rows::Counted(backlog),
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "the rows that are not done cannot be counted");
                Rows::Unknown
            }
            Err(_) => Rows::Unknown,
        };
        *kept = Some((Instant::now(), rows));
        rows
    }
}

/// Sets the gauges. What is not known is no number.
pub(super) fn record(rows: Rows, now_ms: i64) {
    let age = |at_ms: i64| now_ms.saturating_sub(at_ms).max(0) as f64 / 1_000.0;
    let (pending, sent, error, oldest) = match rows {
        Rows::None => return,
        Rows::Unknown => (f64::NAN, f64::NAN, f64::NAN, f64::NAN),
        Rows::Counted(backlog) => (
            backlog.pending as f64,
            backlog.sent as f64,
            backlog.error as f64,
            backlog.oldest_change_at.map_or(0.0, age),
        ),
    };
    for (status, count) in [("pending", pending), ("sent", sent), ("error", error)] {
        gauge!("propagation_rows", "status" => status).set(count);
    }
    gauge!("propagation_oldest_change_age_seconds").set(oldest);
}
