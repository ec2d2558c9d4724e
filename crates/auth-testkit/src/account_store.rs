//! What every [`AccountStore`] must do; [`crate::account_store_cases`] makes a test of each case.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use std::collections::BTreeSet;

use accounts::{
    Account, AccountId, AccountStore, Email, Listed, Page, PasswordHash, PersonName, Role, Saved,
    Version,
};
use auth_base::random::SystemRandom;

use crate::replicas::Replicas;

/// Makes a test of each case. The expression makes [`Replicas`] without accounts:
/// `account_store_cases!(memory, Replicas::of_clones(MemoryAccounts::new()));`.
#[macro_export]
macro_rules! account_store_cases {
    ($implementation:ident, $make:expr) => {
        $crate::cases! {
            $implementation, $make, account_store {
                nobody_is_none,
                what_is_written_is_read,
                a_save_of_an_old_version_is_refused,
                of_many_who_save_one_wins,
                an_address_is_of_one_account,
                of_many_who_take_an_address_one_gets_it,
                the_last_admin_stays,
                an_admin_without_a_password_saves_nobody,
                admins_who_disable_each_other_do_not_all_succeed,
                pages_are_in_order,
            }
        }
    };
}

/// A hash as a store may hold it. Which password it is of, nobody knows.
pub const HASH: &str =
    "$argon2id$v=19$m=4096,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";

/// An account that is in no store yet.
pub fn account(address: &str, roles: &[Role]) -> Account {
    let email = Email::parse(address).expect("an address");
    let name = PersonName::parse(&format!("Person {address}")).expect("a name");
    let roles = roles.iter().copied().collect();
    Account::new(AccountId::random(&SystemRandom), email, name, roles)
}

/// An admin who can sign in, and is in no store yet.
pub fn admin(address: &str) -> Account {
    Account {
        password: Some(PasswordHash::parse(HASH).expect("a hash")),
        ..account(address, &[Role::Admin])
    }
}

/// Writes an account, and tells it as it is held then.
pub async fn saved(store: &impl AccountStore, account: Account) -> Account {
    match save(store, &account).await {
        Saved::Done(version) => Account { version, ..account },
        refused => unreachable!("{account:?} was not saved: {refused:?}"),
    }
}

async fn save(store: &impl AccountStore, account: &Account) -> Saved {
    store.save(account).await.expect("the store answers")
}

async fn by_email(store: &impl AccountStore, address: &str) -> Option<Account> {
    let email = Email::parse(address).expect("an address");
    store.by_email(&email).await.expect("the store answers")
}

async fn by_id(store: &impl AccountStore, id: AccountId) -> Option<Account> {
    store.by_id(id).await.expect("the store answers")
}

/// An account without rights.
pub fn disabled(account: &Account, at_ms: i64) -> Account {
    Account {
        disabled_at_ms: Some(at_ms),
        ..account.clone()
    }
}

/// What nobody wrote is absent, and no error.
pub async fn nobody_is_none<S: AccountStore>(stores: Replicas<S>) {
    let ada = saved(&stores.one, account("ada@example.org", &[Role::Admin])).await;
    assert_eq!(
        by_id(&stores.one, AccountId::random(&SystemRandom)).await,
        None
    );
    for other in [
        "ad@example.org",
        "ada@example.or",
        "adä@example.org",
        "a_a@example.org",
    ] {
        assert_eq!(by_email(&stores.one, other).await, None, "{other}");
    }
    assert_eq!(by_email(&stores.other, " ADA@example.org").await, Some(ada));
}

/// Nothing of an account gets lost, at any time of its life.
pub async fn what_is_written_is_read<S: AccountStore>(stores: Replicas<S>) {
    saved(&stores.one, admin("root@example.org")).await;
    let mut ada = account("ada+zo\u{eb}\u{1f980}@example.org", &[]);
    ada.name = PersonName::parse("Ad\u{e4} \u{1f980} Lovelace").expect("a name");
    for change in 0..4 {
        ada = saved(&stores.one, ada).await;
        assert_eq!(ada.version, Version(change + 1));
        assert_eq!(by_id(&stores.other, ada.id).await.as_ref(), Some(&ada));
        assert_eq!(
            by_email(&stores.other, ada.email.as_str()).await.as_ref(),
            Some(&ada)
        );
        match change {
            0 => ada.password = Some(PasswordHash::parse(HASH).expect("a hash")),
            1 => ada.roles = BTreeSet::from(Role::ALL),
            2 => ada = disabled(&ada, 1_800_000_000_000),
            _ => {}
        }
    }
}

/// Whoever read before somebody else wrote changes nothing.
pub async fn a_save_of_an_old_version_is_refused<S: AccountStore>(stores: Replicas<S>) {
    let first = saved(&stores.one, account("ada@example.org", &[])).await;
    let second = saved(&stores.other, first.clone()).await;
    for wrong in [Version(0), first.version, second.version.next()] {
        let late = Account {
            version: wrong,
            ..disabled(&second, 1)
        };
        assert_eq!(save(&stores.one, &late).await, Saved::Changed, "{wrong:?}");
    }
    let never = Account {
        version: Version(1),
        ..account("bob@example.org", &[])
    };
    assert_eq!(save(&stores.one, &never).await, Saved::Changed);
    assert_eq!(by_id(&stores.one, first.id).await, Some(second));
    assert_eq!(by_id(&stores.one, never.id).await, None);
}

/// Calls `save` of all these at once, in turns at the two replicas, and tells what became of each.
async fn save_at_once<S: AccountStore + Clone>(
    stores: &Replicas<S>,
    accounts: Vec<Account>,
) -> Vec<Saved> {
    let tasks = accounts.into_iter().enumerate().map(|(number, account)| {
        let store = [&stores.one, &stores.other][number % 2].clone();
        tokio::spawn(async move { save(&store, &account).await })
    });
    let mut outcomes = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        outcomes.push(task.await.expect("no task panics"));
    }
    outcomes
}

fn done(outcomes: &[Saved]) -> usize {
    let done = outcomes.iter().filter(|it| matches!(it, Saved::Done(_)));
    done.count()
}

/// Of several who read the same version, exactly one wins.
pub async fn of_many_who_save_one_wins<S: AccountStore + Clone>(stores: Replicas<S>) {
    let mut held = saved(&stores.one, account("ada@example.org", &[])).await;
    for _ in 0..3 {
        let named = |number| Account {
            name: PersonName::parse(&format!("Ada {number}")).expect("a name"),
            ..held.clone()
        };
        let outcomes = save_at_once(&stores, (0..8).map(named).collect()).await;
        assert_eq!(done(&outcomes), 1, "{outcomes:?}");
        let lost = outcomes.iter().filter(|it| **it == Saved::Changed);
        assert_eq!(lost.count(), 7, "{outcomes:?}");
        let next = by_id(&stores.other, held.id).await.expect("it is there");
        assert_eq!(next.version, held.version.next());
        held = next;
    }
}

/// No two accounts sign in with the same address; a given up one is free.
pub async fn an_address_is_of_one_account<S: AccountStore>(stores: Replicas<S>) {
    let mut ada = saved(&stores.one, account("ada@example.org", &[])).await;
    let mut bob = saved(&stores.one, account("bob@example.org", &[])).await;
    assert_eq!(
        save(&stores.one, &account("Ada@Example.org", &[])).await,
        Saved::EmailTaken
    );
    bob.email = ada.email.clone();
    assert_eq!(save(&stores.other, &bob).await, Saved::EmailTaken);
    let given_up = ada.email.clone();
    ada.email = Email::parse("ada@example.com").expect("an address");
    saved(&stores.one, ada.clone()).await;
    let bob = saved(&stores.one, bob).await;
    assert_eq!(by_email(&stores.one, given_up.as_str()).await, Some(bob));
    let found = by_email(&stores.one, "ada@example.com").await;
    assert_eq!(found.map(|account| account.id), Some(ada.id));
}

/// Of several new accounts with one address, exactly one is made.
pub async fn of_many_who_take_an_address_one_gets_it<S: AccountStore + Clone>(stores: Replicas<S>) {
    let new = (0..8).map(|_| account("ada@example.org", &[Role::Viewer]));
    let outcomes = save_at_once(&stores, new.collect()).await;
    assert_eq!(done(&outcomes), 1, "{outcomes:?}");
    let lost = outcomes.iter().filter(|it| **it == Saved::EmailTaken);
    assert_eq!(lost.count(), 7, "{outcomes:?}");
}

/// The last admin is neither disabled nor demoted; one of two is. A disabled admin counts for nothing.
pub async fn the_last_admin_stays<S: AccountStore>(stores: Replicas<S>) {
    let ada = saved(&stores.one, admin("ada@example.org")).await;
    let bob = Account {
        roles: BTreeSet::from([Role::Operator]),
        ..admin("bob@example.org")
    };
    let bob = saved(&stores.one, bob).await;
    let demoted = |account: &Account| Account {
        roles: BTreeSet::from([Role::Operator, Role::Viewer]),
        ..account.clone()
    };
    assert_eq!(
        save(&stores.one, &disabled(&ada, 1)).await,
        Saved::LastAdmin
    );
    assert_eq!(save(&stores.other, &demoted(&ada)).await, Saved::LastAdmin);
    assert_eq!(by_id(&stores.one, ada.id).await.as_ref(), Some(&ada));
    // Everything else of the last admin may change.
    let ada = saved(&stores.one, ada).await;
    let bob = Account {
        roles: BTreeSet::from([Role::Admin]),
        ..bob
    };
    let bob = saved(&stores.one, disabled(&bob, 1)).await;
    assert_eq!(save(&stores.one, &demoted(&ada)).await, Saved::LastAdmin);
    let bob = Account {
        disabled_at_ms: None,
        ..bob
    };
    let bob = saved(&stores.one, bob).await;
    let ada = saved(&stores.one, demoted(&ada)).await;
    assert_eq!(
        save(&stores.other, &disabled(&bob, 2)).await,
        Saved::LastAdmin
    );
    saved(&stores.one, disabled(&ada, 2)).await;
}

/// An admin without a password does not count as the one who stays, and the last password stays too; as the only admin there
/// is, he stays himself.
pub async fn an_admin_without_a_password_saves_nobody<S: AccountStore>(stores: Replicas<S>) {
    let bob = account("bob@example.org", &[Role::Admin]);
    let bob = saved(&stores.one, bob).await;
    assert_eq!(
        save(&stores.one, &disabled(&bob, 1)).await,
        Saved::LastAdmin
    );
    let ada = saved(&stores.one, admin("ada@example.org")).await;
    let without = |account: &Account| Account {
        password: None,
        ..account.clone()
    };
    for lost in [disabled(&ada, 1), without(&ada)] {
        assert_eq!(save(&stores.other, &lost).await, Saved::LastAdmin);
    }
    // He may go: somebody who can sign in is left.
    let bob = saved(&stores.one, disabled(&bob, 1)).await;
    let bob = Account {
        disabled_at_ms: None,
        password: ada.password.clone(),
        ..bob
    };
    let bob = saved(&stores.one, bob).await;
    saved(&stores.one, without(&ada)).await;
    assert_eq!(save(&stores.one, &without(&bob)).await, Saved::LastAdmin);
}

/// Admins who disable each other at the same moment: one is left.
pub async fn admins_who_disable_each_other_do_not_all_succeed<S: AccountStore + Clone>(
    stores: Replicas<S>,
) {
    for round in 0..5 {
        // Together with whoever is left of the round before.
        for number in 0..3 {
            let address = format!("admin{round}{number}@example.org");
            saved(&stores.one, admin(&address)).await;
        }
        let admins = active_admins(&stores.one).await;
        let at_once = admins.iter().map(|admin| disabled(admin, 1)).collect();
        let outcomes = save_at_once(&stores, at_once).await;
        assert_eq!(done(&outcomes), admins.len() - 1, "{outcomes:?}");
        assert!(outcomes.contains(&Saved::LastAdmin), "{outcomes:?}");
        assert_eq!(active_admins(&stores.other).await.len(), 1);
    }
}

async fn active_admins(store: &impl AccountStore) -> Vec<Account> {
    let mut accounts = list(store, 0, 100).await.accounts;
    accounts.retain(Account::is_active_admin);
    accounts
}

async fn list(store: &impl AccountStore, skip: u32, most: u32) -> Listed {
    let page = Page { skip, most };
    store.list(page).await.expect("the store answers")
}

/// Pages are in the order of the addresses, and bounded.
pub async fn pages_are_in_order<S: AccountStore>(stores: Replicas<S>) {
    assert_eq!(list(&stores.one, 0, 10).await.total, 0);
    let mut addresses = Vec::new();
    for number in [3, 0, 104, 2, 1, 10] {
        addresses.push(format!("p{number}@example.org"));
    }
    for number in 200..300 {
        addresses.push(format!("q{number}@example.org"));
    }
    for address in &addresses {
        saved(&stores.one, account(address, &[])).await;
    }
    addresses.sort();
    let told = |listed: &Listed| -> Vec<String> {
        let accounts = listed.accounts.iter();
        accounts.map(|account| account.email.to_string()).collect()
    };
    let first = list(&stores.other, 0, 2).await;
    assert_eq!((told(&first), first.total), (addresses[..2].to_vec(), 106));
    assert_eq!(told(&list(&stores.one, 2, 3).await), addresses[2..5]);
    assert_eq!(told(&list(&stores.one, 104, 50).await), addresses[104..]);
    assert_eq!(told(&list(&stores.one, 106, 50).await), [""; 0]);
    assert_eq!(told(&list(&stores.one, 0, 0).await), addresses[..1]);
    assert_eq!(
        told(&list(&stores.one, 0, u32::MAX).await),
        addresses[..100]
    );
}
