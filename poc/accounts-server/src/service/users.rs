//! Accounts: they are listed, made, changed and disabled. None is ever deleted: the audit names it.

use std::collections::BTreeSet;

use accounts::account_store::LARGEST_PAGE;
use accounts::private_api::{ChangeUser, NewUser, User, UserPage};
use accounts::{
    Account, AccountId, Email, Page, Password, PersonName, RevokeReason, Role, Saved, Version,
};

use crate::service::accounts::{Accounts, permissions};
use crate::service::caller::Caller;
use crate::service::links::known;
use crate::service::problem::Problem;
use crate::service::record::Record;
use crate::service::refresh::parse;

/// How often a change that names no version is tried on the account as it is then.
const ATTEMPTS: u32 = 5;

/// A page that is asked for: what is absent or out of bounds falls back to the first page, and to ten accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageAsked {
    page: u32,
    limit: u32,
}

impl PageAsked {
    /// Reads the two parameters.
    pub fn new(page: Option<&str>, limit: Option<&str>) -> Self {
        let number = |text: Option<&str>| text.and_then(|it| it.parse::<u32>().ok());
        let limit = number(limit).filter(|it| (1..=LARGEST_PAGE).contains(it));
        Self {
            page: number(page).filter(|it| *it >= 1).unwrap_or(1),
            limit: limit.unwrap_or(10),
        }
    }
}

impl Accounts {
    /// Lists one page of accounts, by e-mail address.
    ///
    /// # Errors
    /// That of the store.
    pub async fn users(&self, asked: PageAsked) -> Result<UserPage, Problem> {
        let PageAsked { page, limit } = asked;
        let listed = self.stores.accounts.list(Page {
            skip: (page - 1).saturating_mul(limit),
            most: limit,
        });
        let listed = listed.await?;
        Ok(UserPage {
            users: listed.accounts.iter().map(user).collect(),
            page,
            limit,
            total: listed.total,
        })
    }

    /// Finds an account.
    ///
    /// # Errors
    /// [`Problem::NotFound`].
    pub async fn user(&self, id: &str) -> Result<User, Problem> {
        self.find(id).await.map(|account| user(&account))
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`Problem::Invalid`], [`Problem::WeakPassword`], [`Problem::EmailTaken`].
    pub async fn create_user(&self, caller: &Caller, asked: &NewUser) -> Result<User, Problem> {
        self.create(caller, asked)
            .await
            .map(|account| user(&account))
    }

    pub(crate) async fn create(
        &self,
        caller: &Caller,
        asked: &NewUser,
    ) -> Result<Account, Problem> {
        let email = parse("email", &asked.email, Email::parse)?;
        let name = parse("name", &asked.name, PersonName::parse)?;
        let roles = roles(&asked.roles)?;
        let mut account = Account::new(AccountId::random(&*self.random), email, name, roles);
        if let Some(typed) = &asked.password {
            let password = parse("password", typed, Password::new)?;
            let hash = self.hashing.place()?.choose(password, known(&account));
            account.password = Some(hash.await?);
        }
        let saved = self.stores.accounts.save(&account).await?;
        let saved = version(saved);
        self.tell_change(caller, "account.create", &account, &saved)
            .await;
        account.version = saved?;
        Ok(account)
    }

    /// Changes an account. Whoever is disabled loses all sessions before this answers.
    ///
    /// # Errors
    /// [`Problem::NotFound`], [`Problem::Invalid`], [`Problem::Changed`], [`Problem::LastAdmin`]; [`Problem::Unfinished`] when
    /// the account is disabled and its sessions could not be ended: the same call again ends them.
    pub async fn change_user(
        &self,
        caller: &Caller,
        id: &str,
        asked: &ChangeUser,
    ) -> Result<User, Problem> {
        let name = asked.name.as_deref();
        let name = name.map(|it| parse("name", it, PersonName::parse));
        let wanted = Wanted {
            name: name.transpose()?,
            roles: asked.roles.as_deref().map(roles).transpose()?,
            disabled: asked.disabled,
        };
        if asked.disabled == Some(false) {
            // What a disabling has left behind lives no more.
            let held = self.find(id).await?;
            if !held.is_active() {
                let ended = self.end_all(held.id, RevokeReason::SubjectInactive);
                ended.await?;
            }
        }
        let account = self.write(caller, id, asked.version, &wanted).await?;
        if asked.disabled == Some(true) {
            let ended = self.end_all(account.id, RevokeReason::SubjectInactive);
            ended.await.map_err(Problem::Unfinished)?;
        }
        Ok(user(&account))
    }

    /// Disables an account. It stays, and can be enabled again.
    ///
    /// # Errors
    /// As for [`Self::change_user`].
    pub async fn disable_user(&self, caller: &Caller, id: &str) -> Result<User, Problem> {
        let disabled = ChangeUser {
            disabled: Some(true),
            ..ChangeUser::default()
        };
        self.change_user(caller, id, &disabled).await
    }

    async fn write(
        &self,
        caller: &Caller,
        id: &str,
        expected: Option<u64>,
        wanted: &Wanted,
    ) -> Result<Account, Problem> {
        for _ in 0..ATTEMPTS {
            let held = self.find(id).await?;
            let next = wanted.applied(&held, self.clock.now_ms());
            let is_current = expected.is_none_or(|it| it == held.version.0);
            // What is so already needs no version: whoever asks again finishes what was begun.
            if next == held {
                return Ok(held);
            }
            let saved = match is_current {
                true => self.stores.accounts.save(&next).await?,
                false => Saved::Changed,
            };
            if saved == Saved::Changed && expected.is_none() {
                continue;
            }
            let saved = version(saved);
            let action = action(&held, &next);
            self.tell_change(caller, action, &held, &saved).await;
            return Ok(Account {
                version: saved?,
                ..next
            });
        }
        Err(Problem::Changed)
    }

    /// Finds an account; what no account is called is not there.
    pub(crate) async fn find(&self, id: &str) -> Result<Account, Problem> {
        let id = AccountId::parse(id).map_err(|_| Problem::NotFound)?;
        let account = self.stores.accounts.by_id(id).await?;
        account.ok_or(Problem::NotFound)
    }

    async fn tell_change(
        &self,
        caller: &Caller,
        action: &'static str,
        account: &Account,
        saved: &Result<Version, Problem>,
    ) {
        let record = Record::done(caller.actor(), action, account.email.as_str());
        let record = match saved {
            Ok(_) => record,
            Err(problem) => record.refused(problem.code()),
        };
        self.write_down(caller, record).await;
    }
}

/// What of an account changes.
struct Wanted {
    name: Option<PersonName>,
    roles: Option<BTreeSet<Role>>,
    disabled: Option<bool>,
}

impl Wanted {
    fn applied(&self, held: &Account, now_ms: i64) -> Account {
        let disabled_at_ms = match self.disabled {
            None => held.disabled_at_ms,
            Some(false) => None,
            Some(true) => held.disabled_at_ms.or(Some(now_ms)),
        };
        Account {
            name: self.name.clone().unwrap_or_else(|| held.name.clone()),
            roles: self.roles.clone().unwrap_or_else(|| held.roles.clone()),
            disabled_at_ms,
            ..held.clone()
        }
    }
}

fn action(held: &Account, next: &Account) -> &'static str {
    match (held.is_active(), next.is_active()) {
        (true, false) => "account.disable",
        (false, true) => "account.enable",
        _ => "account.change",
    }
}

fn version(saved: Saved) -> Result<Version, Problem> {
    match saved {
        Saved::Done(version) => Ok(version),
        Saved::Changed => Err(Problem::Changed),
        Saved::EmailTaken => Err(Problem::EmailTaken),
        Saved::LastAdmin => Err(Problem::LastAdmin),
    }
}

fn roles(names: &[String]) -> Result<BTreeSet<Role>, Problem> {
    let roles = names.iter().map(|name| name.parse::<Role>());
    let roles = roles.collect::<Result<_, _>>();
    roles.map_err(|unknown| Problem::invalid("roles", &unknown))
}

/// An account as admins see it.
pub(crate) fn user(account: &Account) -> User {
    User {
        id: account.id.to_string(),
        email: account.email.to_string(),
        name: account.name.to_string(),
        roles: account
            .roles
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect(),
        permissions: permissions(account),
        has_password: account.password.is_some(),
        disabled_at_ms: account.disabled_at_ms,
        version: account.version.0,
    }
}
