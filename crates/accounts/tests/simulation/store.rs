//! What a story needs of a store, and the real one.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use accounts::{
    Account, AccountId, AccountStore, Email, FamilyId, MemoryAccounts, NewFamily, PersonName,
    Presented, Record, Recorded, RefreshStore, RevokeReason, Rotation, Subject, Which,
};
use futures_util::FutureExt;

/// One store of one person's sessions. Each call is one transaction, and answers at once.
pub(crate) trait Ledger {
    fn begin(&mut self, new: &NewFamily, now_ms: i64);
    fn rotate(&mut self, presented: &Presented, now_ms: i64, grace_ms: i64) -> Rotation;
    fn record(&mut self, record: &Record, now_ms: i64) -> Recorded;
    fn revoke(&mut self, family: FamilyId, now_ms: i64);
    fn is_dead(&self, family: FamilyId) -> bool;
    fn set_active(&mut self, is_active: bool, now_ms: i64);
}

/// Who the stories are about.
pub(crate) const PERSON: AccountId = AccountId::from_bytes([1; 16]);
pub(crate) const SUBJECT: Subject = Subject::User(PERSON);

/// The real store, with the person in it.
pub(crate) struct Real(MemoryAccounts);

fn now<T>(future: impl Future<Output = Result<T, auth_base::StoreError>>) -> T {
    future
        .now_or_never()
        .expect("memory answers at once")
        .expect("memory does not fail")
}

impl Default for Real {
    fn default() -> Self {
        let store = MemoryAccounts::new();
        let (email, name) = (Email::parse("ada@example.org"), PersonName::parse("Ada"));
        let ada = Account::new(PERSON, email.unwrap(), name.unwrap(), [].into());
        now(store.save(&ada));
        Self(store)
    }
}

impl Ledger for Real {
    fn begin(&mut self, new: &NewFamily, now_ms: i64) {
        now(self.0.begin(new, now_ms));
    }

    fn rotate(&mut self, presented: &Presented, now_ms: i64, grace_ms: i64) -> Rotation {
        let grace = Duration::from_millis(grace_ms.unsigned_abs());
        now(self.0.rotate(presented, now_ms, grace))
    }

    fn record(&mut self, record: &Record, now_ms: i64) -> Recorded {
        now(self.0.record(record, now_ms))
    }

    fn revoke(&mut self, family: FamilyId, now_ms: i64) {
        let which = Which::Family(family);
        now(self.0.revoke(&which, RevokeReason::EndedByAdmin, now_ms));
    }

    fn is_dead(&self, family: FamilyId) -> bool {
        let family = now(self.0.family(family));
        family.is_some_and(|family| family.revoked.is_some())
    }

    fn set_active(&mut self, is_active: bool, now_ms: i64) {
        let account = now(self.0.by_id(PERSON)).expect("the person is there");
        let account = Account {
            disabled_at_ms: (!is_active).then_some(now_ms),
            ..account
        };
        now(self.0.save(&account));
    }
}
