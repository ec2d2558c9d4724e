//! Rows of the audit, as this service writes them.

use accounts::{AuditId, AuditRow, AuditText, Outcome};
use auth_base::error_chain::chain;

use crate::service::accounts::Accounts;
use crate::service::caller::Caller;

/// What is written down of a decision.
pub(crate) struct Record<'a> {
    pub(crate) actor: &'a str,
    pub(crate) action: &'static str,
    pub(crate) subject: &'a str,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<&'a str>,
    pub(crate) address: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// It was done.
    pub(crate) fn done(actor: &'a str, action: &'static str, subject: &'a str) -> Self {
        Self {
            actor,
            action,
            subject,
            outcome: Outcome::Done,
            reason: None,
            address: None,
        }
    }

    /// It was refused, for this reason.
    pub(crate) fn refused(self, reason: Option<&'a str>) -> Self {
        Self {
            outcome: Outcome::Refused,
            reason,
            ..self
        }
    }

    /// The request came from there.
    pub(crate) fn from(self, address: Option<&'a str>) -> Self {
        Self { address, ..self }
    }
}

impl Accounts {
    /// Writes a decision down. It was taken already: when the audit is broken, it goes on, and the log says so.
    pub(crate) async fn write_down(&self, caller: &Caller, record: Record<'_>) {
        let row = AuditRow {
            id: AuditId::random(&*self.random),
            at_ms: self.clock.now_ms(),
            actor: record.actor.into(),
            action: record.action.into(),
            subject: record.subject.into(),
            outcome: record.outcome,
            reason: record.reason.map(AuditText::new),
            peer: None,
            request_id: Some(caller.request_id().into()),
            address: record.address.map(AuditText::new),
        };
        if let Err(error) = self.stores.audit.append(&row).await {
            let request_id = caller.request_id();
            tracing::error!(
                request_id,
                action = record.action,
                outcome = record.outcome.as_str(),
                error = %chain(&error),
                "a decision is not in the audit"
            );
        }
    }
}
