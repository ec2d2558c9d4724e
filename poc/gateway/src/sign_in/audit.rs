//! What is written down: in the order in which it happened, without anybody waiting for it.

use std::time::Duration;

use accounts::private_api::{AuditEntries, AuditEntry};
use auth_base::Backoff;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::proxy::ChangeLog;
use crate::sign_in::accounts::{AccountsClient, AccountsError};

/// So many rows wait for the accounts service.
const MAX_WAITING: usize = 10_000;
/// So many go in one call: as long as they may be, they fit into a body of 64 KiB.
const MAX_BATCH: usize = 32;
/// Pauses after calls that failed.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(15));
/// When the gateway stops, what waits is written within this time.
const LAST: Duration = Duration::from_secs(1);

/// Where rows are given. Clones share the queue.
#[derive(Clone)]
pub(crate) struct AuditLog(Sender<AuditEntry>);

/// What takes them to the accounts service.
pub(crate) struct AuditWriter {
    rows: Receiver<AuditEntry>,
    /// What is being written: kept until that is certain, so that a row may be there twice but never not at all.
    batch: AuditEntries,
    accounts: AccountsClient,
}

/// A queue to the accounts service.
pub(crate) fn queue(accounts: AccountsClient) -> (AuditLog, AuditWriter) {
    let (sender, rows) = mpsc::channel(MAX_WAITING);
    let writer = AuditWriter {
        rows,
        batch: AuditEntries { rows: Vec::new() },
        accounts,
    };
    (AuditLog(sender), writer)
}

impl ChangeLog for AuditLog {
    /// One that finds no room, because the accounts service has been away for long, goes to the log
    /// instead.
    fn write(&self, row: AuditEntry) {
        if let Err(refused) = self.0.try_send(row) {
            lost(&refused.into_inner());
        }
    }
}

/// What the audit does not take is in the log.
fn lost(row: &AuditEntry) {
    let (actor, action, outcome) = (&row.actor, &row.action, &row.outcome);
    let (subject, request_id) = (&row.subject, &row.request_id);
    tracing::error!(
        actor,
        action,
        subject,
        outcome,
        request_id,
        "a change could not be written into the audit"
    );
}

impl AuditWriter {
    /// Writes until `stop`, and then what waits, for no longer than a second.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = self.write_all() => return,
            () = stop.cancelled() => {}
        }
        self.rows.close();
        if timeout(LAST, self.write_all()).await.is_err() {
            let rows = self.rows.len();
            tracing::error!(
                rows,
                "rows of the audit were lost: the accounts service is away"
            );
        }
    }

    async fn write_all(&mut self) {
        loop {
            if self.batch.rows.is_empty()
                && self.rows.recv_many(&mut self.batch.rows, MAX_BATCH).await == 0
            {
                return;
            }
            self.write(&self.batch).await;
            self.batch.rows.clear();
        }
    }

    async fn write(&self, rows: &AuditEntries) {
        let mut failures = 0;
        loop {
            match self.accounts.write_audit(rows).await {
                Ok(()) => return,
                Err(AccountsError::Unavailable) => {}
                Err(error) => {
                    tracing::error!(why = %error, "rows of the audit are refused");
                    rows.rows.iter().for_each(lost);
                    return;
                }
            }
            sleep(PAUSES.pause(failures)).await;
            failures = failures.saturating_add(1);
        }
    }
}
