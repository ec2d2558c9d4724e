//! What is held in memory, and the one lock that makes each call a transaction.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::account::Account;
use crate::audit::{AuditCursor, AuditRow};
use crate::failures::{FailureKey, Failures};
use crate::family::{Family, Subject, Token};
use crate::id::{AccountId, FamilyId, TokenId};
use crate::ledger::SignsIn;

#[derive(Default)]
pub(super) struct Tables {
    pub(super) accounts: HashMap<AccountId, Account>,
    pub(super) failures: HashMap<FailureKey, Failures>,
    pub(super) families: HashMap<FamilyId, Family>,
    pub(super) tokens: HashMap<TokenId, Token>,
    pub(super) audit: BTreeMap<AuditCursor, AuditRow>,
}

impl Tables {
    pub(super) fn is_active(&self, subject: &Subject) -> bool {
        match subject {
            Subject::User(id) => self.accounts.get(id).is_some_and(Account::is_active),
        }
    }

    pub(super) fn signs_in(&self, subject: &Subject) -> Option<SignsIn> {
        match subject {
            Subject::User(id) => self.accounts.get(id).map(SignsIn::from),
        }
    }
}

/// Keeps accounts, failures, refresh families and the audit in memory, and loses them with the process. Clones share them.
///
/// Nothing is forgotten but by the calls that sweep: who runs for long calls them now and then.
#[derive(Clone, Default)]
pub struct MemoryAccounts(Arc<Mutex<Tables>>);

impl MemoryAccounts {
    /// Holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is done with the guard happens at once for everybody else.
    pub(super) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock()
    }
}

impl fmt::Debug for MemoryAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.tables();
        f.debug_struct("MemoryAccounts")
            .field("accounts", &tables.accounts.len())
            .field("families", &tables.families.len())
            .finish_non_exhaustive()
    }
}
