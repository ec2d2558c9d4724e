//! A change that is handed on, as it is written down.

use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use accounts::AuditText;
use accounts::private_api::AuditEntry;
use auth_base::clock::{Clock, SystemClock};
use axum::http::Method;
use axum::response::Response;

use crate::proxy::permission;
use crate::proxy::refusal::Refusal;
use crate::proxy::who::Caller;

/// Where changes are written down, without anybody waiting for it.
pub(crate) trait ChangeLog: Send + Sync + 'static {
    /// Writes one down, soon.
    fn write(&self, change: AuditEntry);
}

/// What is known of a change before it is handed on.
pub(super) struct Asked<'a> {
    pub(super) caller: &'a Caller,
    pub(super) method: &'a Method,
    /// As the peer gets it.
    pub(super) path: &'a str,
    pub(super) peer: &'a str,
    pub(super) request_id: &'a str,
    pub(super) address: IpAddr,
}

/// A change of which only its outcome is not known yet. It is written down in any case.
pub(super) struct Change {
    log: Arc<dyn ChangeLog>,
    entry: AuditEntry,
}

impl Change {
    pub(super) fn new(log: Arc<dyn ChangeLog>, asked: &Asked<'_>) -> Self {
        let (caller, path, method) = (asked.caller, asked.path, asked.method);
        let operation = permission::operation(method, path);
        let text = |text: &str| AuditText::new(text).as_str().to_owned();
        let entry = AuditEntry {
            at_ms: SystemClock.now_ms(),
            actor: text(caller.name.as_ref().unwrap_or(&caller.subject)),
            action: match operation {
                Some(operation) => operation.to_owned(),
                None => text(&method.as_str().to_lowercase()),
            },
            subject: text(path),
            peer: Some(asked.peer.to_owned()),
            request_id: Some(asked.request_id.to_owned()),
            address: Some(asked.address.to_string()),
            // Whoever is gone before the answer has asked all the same.
            outcome: "failed".to_owned(),
            reason: Some("CANCELLED".to_owned()),
        };
        Self { log, entry }
    }

    /// How it ended; it is written down when it is dropped.
    pub(super) fn ended(mut self, handed_on: &Result<Response, Refusal>) {
        let (status, reason) = match handed_on {
            Ok(response) => {
                let status = response.status().as_u16();
                (status, (status >= 400).then(|| status.to_string()))
            }
            Err(refusal) => {
                let problem = &refusal.problem;
                (problem.status, Some(problem.error.clone().into_owned()))
            }
        };
        let outcome = match status {
            ..400 => "done",
            400..500 => "refused",
            _ => "failed",
        };
        outcome.clone_into(&mut self.entry.outcome);
        self.entry.reason = reason;
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        self.log.write(mem::take(&mut self.entry));
    }
}
