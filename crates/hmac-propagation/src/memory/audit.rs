//! What happened to deliveries, and who asked for it.

use std::collections::VecDeque;

use crate::delivery::{Step, Transition};
use crate::origin::Origin;
use crate::peer_store::CredentialKey;
use crate::queue::PeerName;

/// Entries that are kept.
const ENTRIES: usize = 10_000;

/// One row of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Whose credential.
    pub key: CredentialKey,
    /// On which target; `None` is the credential itself.
    pub target: Option<PeerName>,
    /// What happened.
    pub transition: Transition,
    /// Which change it happened to.
    pub generation: u64,
    /// When, epoch milliseconds.
    pub at_ms: i64,
    /// Who asked for it.
    pub origin: Origin,
}

/// The last entries, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Audit(VecDeque<AuditEntry>);

impl Audit {
    /// Those of a credential.
    pub(super) fn of(&self, key: &CredentialKey) -> Vec<AuditEntry> {
        let entries = self.0.iter().filter(|entry| entry.key == *key);
        entries.cloned().collect()
    }

    /// Adds what happened to a credential, or to its delivery for a target, in a generation.
    pub(super) fn note(
        &mut self,
        (key, target, generation): (&CredentialKey, Option<&str>, u64),
        step: &Step,
        origin: &Origin,
    ) {
        if self.0.len() >= ENTRIES {
            self.0.pop_front();
        }
        self.0.push_back(AuditEntry {
            key: key.clone(),
            target: target.and_then(|target| PeerName::parse(target).ok()),
            transition: step.transition,
            generation,
            at_ms: step.at_ms,
            origin: origin.clone(),
        });
    }
}
