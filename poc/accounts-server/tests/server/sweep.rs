//! What has ended is forgotten.

use std::sync::Arc;

use accounts::private_api::{AuditEntries, AuditEntry, AuditQuery, Browser, NewUser, RecordToken};
use accounts::{LinkKey, MemoryAccounts};
use accounts_server::service::Caller;
use accounts_server::service::sweep::Swept;
use accounts_server::{Accounts, Policy, Stores};
use auth_base::{ManualClock, SystemRandom};

use crate::support::id;

const DAY: i64 = 24 * 60 * 60 * 1_000;

#[tokio::test]
async fn only_what_has_ended_is_forgotten() {
    let clock = Arc::new(ManualClock::new(1_000));
    let accounts = Accounts::new(
        Stores::of(MemoryAccounts::new()),
        Policy::default(),
        LinkKey::new([7; 32]),
        clock.clone(),
        Arc::new(SystemRandom),
    )
    .unwrap();
    let caller = Caller::command_line();
    let ada = NewUser {
        email: "ada@example.org".to_owned(),
        name: "Ada".to_owned(),
        roles: Vec::new(),
        password: None,
    };
    let ada = accounts.create_user(&caller, &ada).await.unwrap();
    let begun = RecordToken {
        user_id: ada.id,
        family_id: id(),
        jti: id(),
        parent_jti: None,
        version: None,
        idle_seconds: Some(60),
        browser: Browser::default(),
    };
    accounts.record_token(&caller, &begun).await.unwrap();
    assert_eq!(accounts.sweep().await.unwrap(), Swept::default());
    clock.advance(DAY / 2);
    assert_eq!(accounts.sweep().await.unwrap(), Swept::default());
    clock.advance(DAY);
    let swept = accounts.sweep().await.unwrap();
    assert_eq!(
        (swept.refresh, swept.audit),
        (2, 0),
        "a family and its token"
    );

    let late = AuditEntry {
        at_ms: 366 * DAY,
        outcome: "done".to_owned(),
        ..AuditEntry::default()
    };
    let rows = AuditEntries { rows: vec![late] };
    accounts.append_audit(&caller, &rows).await.unwrap();
    clock.set(366 * DAY);
    let swept = accounts.sweep().await.unwrap();
    assert_eq!(swept.audit, 1, "the account was made more than a year ago");
    let left = accounts.audit(&AuditQuery::default()).await.unwrap();
    assert_eq!(left.rows.len(), 1);
}
