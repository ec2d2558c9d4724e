//! Sent marks, written a moment late.
//!
//! Most acknowledgements arrive within milliseconds of the confirm, and make the mark that the row was sent worthless: it would cost
//! a transaction and a wait for the same row's lock. So marks wait for [`DELAY`]; an acknowledgement that is booked meanwhile
//! takes its mark along. Until it is marked a row is kept from other claimers by its lease, so a crash in between means a
//! repeated event at the worst.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_base::error_chain::chain;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::error::PropagationError;
use crate::management::SentMark;
use crate::peer_store::CredentialKey;
use crate::progress::Progress;
use crate::shared::{Core, lock};

/// How long a mark waits for the acknowledgement that makes it worthless.
const DELAY: Duration = Duration::from_millis(200);

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
    pub(crate) fn acknowledged<'a>(&self, event_ids: impl Iterator<Item = &'a String>) {
        let mut waiting = lock(&self.waiting);
        for event_id in event_ids {
            waiting.remove(event_id);
        }
    }

    fn take(&self) -> Vec<SentMark> {
        std::mem::take(&mut *lock(&self.waiting))
            .into_values()
            .collect()
    }
}

/// Writes marks until the propagator closes, and what is left then.
pub(crate) async fn run(core: Arc<Core>) {
    let mut failures = 0;
    while !core.is_closing() {
        tokio::select! {
            biased;
            () = core.closing.wait() => {}
            () = core.sent_marks.arrived.notified() => {}
        }
        let _ = timeout(DELAY + core.backoff_after(failures), core.closing.wait()).await;
        failures = match write(&core).await {
            Ok(()) => 0,
            Err(error) => {
                tracing::warn!(peer = %core.parts.name, error = chain(&error), "sent marks wait for the management store");
                failures + 1
            }
        };
    }
}

async fn write(core: &Core) -> Result<(), PropagationError> {
    let marks = core.sent_marks.take();
    let Some(management) = core
        .parts
        .management
        .as_deref()
        .filter(|_| !marks.is_empty())
    else {
        return Ok(());
    };
    let written = core.managed(management.mark_targets_sent(&marks)).await;
    match &written {
        Ok(()) => core.progress.tell(Progress::Sent, marks.iter().map(row)),
        Err(_) => core.sent_marks.add(marks),
    }
    Ok(written?)
}

/// The row that a mark is about.
pub(crate) fn row(mark: &SentMark) -> (&CredentialKey, Option<&str>) {
    (&mark.key, Some(&mark.target))
}
