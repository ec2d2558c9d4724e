//! Marks of sent deliveries that wait a moment before they are written.
//!
//! Most acknowledgements arrive within milliseconds of the confirm and make the mark that the
//! delivery was sent worthless: it would cost a transaction and a wait for the same row's lock. So
//! marks wait for [`DELAY`]; an acknowledgement that is booked meanwhile takes its mark along. Until
//! it is marked, a delivery is kept from other claimers by its lease, so a crash in between means a
//! repeated event at the worst.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;

use crate::lock::lock;
use crate::management::SentMark;

/// How long a mark waits for the acknowledgement that makes it worthless.
pub(crate) const DELAY: Duration = Duration::from_millis(200);

/// Marks that wait, by event id. Bounded by what one peer can publish within [`DELAY`].
#[derive(Default)]
pub(crate) struct SentMarks {
    waiting: Mutex<BTreeMap<String, SentMark>>,
    arrived: Notify,
}

impl SentMarks {
    /// Adds marks of confirmed events.
    pub(crate) fn add(&self, marks: Vec<SentMark>) {
        if marks.is_empty() {
            return;
        }
        lock(&self.waiting).extend(marks.into_iter().map(|mark| (mark.event_id.clone(), mark)));
        self.arrived.notify_one();
    }

    /// Drops the marks of events that were acknowledged.
    pub(crate) fn drop_acknowledged<'a>(&self, event_ids: impl Iterator<Item = &'a String>) {
        let mut waiting = lock(&self.waiting);
        for event_id in event_ids {
            waiting.remove(event_id);
        }
    }

    /// Waits until there may be marks.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Takes all of them.
    pub(crate) fn take(&self) -> Vec<SentMark> {
        std::mem::take(&mut *lock(&self.waiting))
            .into_values()
            .collect()
    }
}
