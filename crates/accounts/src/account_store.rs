//! Where accounts are kept.
//!
//! # Contract
//! - `by_id` and `by_email` tell an account as it was last written, whole; an unknown one is `Ok(None)`.
//! - `save` writes the account whole and adds one to its version, if [`judge`] says so of what the store holds at that
//!   moment. The judgement and the write are one transaction: of two callers who read the same version one wins, and of two
//!   admins who disable each other at once one stays.
//! - `list` tells accounts in the order of their e-mail addresses, byte by byte.
//! - What is corrupt is an `Err`, never an account with fewer rights or more.
//!
//! # Implementing
//! Read what [`Held`] asks for, under locks that keep it true until the commit; call [`judge`]; write if it says so.
//! [`crate::MemoryAccounts`] is the complete model to compare with. Prove yours with `auth_testkit::account_store_cases!`.

use async_trait::async_trait;
use auth_base::store_error::StoreError;

use crate::account::{Account, Version};
use crate::email::Email;
use crate::id::AccountId;

/// Accounts on one page at most.
pub const LARGEST_PAGE: u32 = 100;

/// Keeps accounts. The module says what must hold.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Finds an account.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn by_id(&self, id: AccountId) -> Result<Option<Account>, StoreError>;

    /// Finds the account that signs in with this address.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn by_email(&self, email: &Email) -> Result<Option<Account>, StoreError>;

    /// Writes an account whose version is the one it was read with, or zero for a new one.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken. After [`StoreError::Unavailable`] it may have been written all the same.
    async fn save(&self, account: &Account) -> Result<Saved, StoreError>;

    /// Tells one page of accounts, and how many there are.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn list(&self, page: Page) -> Result<Listed, StoreError>;
}

/// Which accounts of a list are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// So many are passed over.
    pub skip: u32,
    /// At most so many are told, 1 to [`LARGEST_PAGE`]; what is out of bounds is put to the nearer bound.
    pub most: u32,
}

impl Page {
    /// How many are told, within the bounds.
    pub fn most_within_bounds(&self) -> u32 {
        self.most.clamp(1, LARGEST_PAGE)
    }
}

/// One page of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Those of the page.
    pub accounts: Vec<Account>,
    /// How many there are on all pages.
    pub total: u64,
}

/// What became of an account that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It was written, and has this version now.
    Done(Version),
    /// The store holds another version: somebody else wrote meanwhile.
    Changed,
    /// Another account signs in with the address.
    EmailTaken,
    /// Nobody would be left who gives rights: the last admin with a password cannot be disabled, stays an admin, and keeps
    /// a password.
    LastAdmin,
}

/// What a store holds when an account is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The account of the same id.
    pub same: Option<&'a Account>,
    /// Whether another account has the new e-mail address.
    pub is_email_taken: bool,
    /// How many others are admins who can sign in: [`Account::is_admin_with_password`].
    pub other_admins: u64,
}

/// Decides what becomes of an account that is to be written. [`Saved::Done`] tells the version to write.
pub fn judge(held: &Held<'_>, next: &Account) -> Saved {
    let version = held.same.map(|same| same.version).unwrap_or_default();
    // An admin who chose no password yet may be the only one: he is not taken away either, but saves nobody else.
    let is_lost = held.same.is_some_and(|same| {
        (same.is_active_admin() && !next.is_active_admin())
            || (same.is_admin_with_password() && !next.is_admin_with_password())
    });
    if version != next.version {
        return Saved::Changed;
    }
    if held.is_email_taken {
        return Saved::EmailTaken;
    }
    match is_lost && held.other_admins == 0 {
        true => Saved::LastAdmin,
        false => Saved::Done(version.next()),
    }
}
