//! People who sign in: accounts and their rights, passwords, failed sign-ins, refresh families, and the audit of it all.
//!
//! This crate is the contract of the accounts service, as `kms` is that of keys. It does no I/O and names no runtime, no HTTP
//! and no database. The stores are other crates: `accounts-sqlx`.
//!
//! ```text
//!   sign-in ---> FailureStore.add --> PasswordHasher.verify --> RefreshStore.begin
//!                                                                  |
//!   refresh ---> RefreshTokenKey.open --> RefreshStore.rotate -----+--- memory
//!                                           |  (ledger::decide)    |
//!   sign-out --> RefreshStore.revoke -------+                      +--- accounts-sqlx
//!                                           |                      |
//!   admin -----> AccountStore.save ---------+----- AuditStore -----+
//!                 (account_store::judge)
//! ```
//!
//! # The rules
//! - What is decided is decided here, by pure functions of rows: [`ledger`] for refresh tokens, [`account_store::judge`] for
//!   accounts, [`failures::count_one`] for failures. A store loads, asks, and writes, in one transaction.
//! - A refresh signs nobody out by accident: many at once, or one whose answer got lost, get the same successor. A real replay
//!   ends the family, and a dead family never lives again ([`ledger`]).
//! - An unknown person costs as much time as a wrong password ([`PasswordHasher::verify`]).
//! - The last admin stays one.
//! - What is absent is `Ok(None)`; `Err` means broken, and decides nothing: the client keeps its token.
//! - No error and no `Debug` shows a password, a hash or a token.
//!
//! # A whole program
//! ```
//! use std::collections::BTreeSet;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use accounts::{
//!     Account, AccountId, AccountStore, Begun, Email, FamilyId, MemoryAccounts, NewFamily, Password, PasswordHasher, PersonName,
//!     Presented, RefreshIds, RefreshStore, RefreshTokenKey, Role, Rotation, Saved, Seen, Subject, TokenId,
//! };
//! use auth_base::SystemRandom;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (store, random) = (MemoryAccounts::new(), SystemRandom);
//! let hasher = PasswordHasher::new(Arc::new(SystemRandom))?;
//!
//! // An account, and its password. A server hashes on threads for blocking work.
//! let (email, name) = (Email::parse("Ada@example.org")?, PersonName::parse("Ada")?);
//! let mut ada = Account::new(AccountId::random(&random), email, name, BTreeSet::from([Role::Admin]));
//! ada.password = Some(hasher.hash(&Password::new("correct horse battery staple")?)?);
//! assert!(matches!(store.save(&ada).await?, Saved::Done(_)));
//!
//! // Somebody signs in.
//! let found = store.by_email(&Email::parse("ada@example.org")?).await?;
//! let hash = found.as_ref().and_then(|account| account.password.as_ref());
//! assert!(hasher.verify(&Password::new("correct horse battery staple")?, hash)?);
//! let ada = found.ok_or("there")?;
//! let ids = RefreshIds { family: FamilyId::random(&random), token: TokenId::random(&random) };
//! let family = NewFamily {
//!     id: ids.family,
//!     first: ids.token,
//!     subject: Subject::User(ada.id),
//!     account_version: ada.version,
//!     idle_ms: 8 * 3_600_000,
//!     absolute_ms: 30 * 86_400_000,
//!     seen: Seen::new("Firefox", "203.0.113.7"),
//! };
//! assert_eq!(store.begin(&family, 1_000).await?, Begun::Done);
//! let key = RefreshTokenKey::new([7; 32]);
//! let cookie = key.token(&ids);
//!
//! // Two tabs refresh at once, and go on with one token.
//! let mut successors = BTreeSet::new();
//! for now_ms in [900_000, 900_020] {
//!     let ids = key.open(cookie.expose()).ok_or("genuine")?;
//!     let successor = Some(TokenId::random(&random));
//!     let presented = Presented { token: ids.token, successor, seen: None };
//!     match store.rotate(&presented, now_ms, Duration::from_secs(10)).await? {
//!         Rotation::Rotated(rotated) => successors.insert(rotated.successor),
//!         Rotation::Refused(refusal) => return Err(refusal.as_str().into()),
//!     };
//! }
//! assert_eq!(successors.len(), 1);
//! # Ok(()) }
//! ```
//!
//! # What it does not do
//! It makes no access token (`jwt-auth`), sends no mail, and sets no cookie. It starts no task: the calls that sweep are yours
//! to make. Machine clients, their secrets and enrolments are not here yet.
//!
//! # Implementing
//! Four seams are to be filled: [`AccountStore`], [`FailureStore`], [`RefreshStore`], [`AuditStore`]. Each module says what
//! must hold, and the suites of `auth-testkit` prove it. They share a database: a refresh looks at its account.
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod email;
pub mod id;
pub mod password;
pub mod strength;

pub mod account;
pub mod account_store;

pub mod failures;

pub mod family;
pub mod ledger;
pub mod refresh_store;
pub mod refresh_token;

pub mod link;

pub mod audit;

pub mod memory;
pub mod private_api;

mod sealed;
mod text;

pub use mesh_api::permission::{Permission, Role};

pub use crate::account::{Account, PersonName, Version};
pub use crate::account_store::{AccountStore, Listed, Page, Saved};
pub use crate::audit::{
    AuditCursor, AuditFilter, AuditPage, AuditRow, AuditStore, AuditText, Outcome,
};
pub use crate::email::Email;
pub use crate::failures::{FailureKey, FailurePolicy, FailureStore, Failures, TooManyFailures};
pub use crate::family::{Family, RevokeReason, Seen, Subject};
pub use crate::id::{AccountId, AuditId, FamilyId, TokenId};
pub use crate::ledger::{Begun, NewFamily, Presented, Record, Recorded, Refusal};
pub use crate::link::{Link, LinkKey, LinkToken};
pub use crate::memory::MemoryAccounts;
pub use crate::password::{Password, PasswordHash, PasswordHasher};
pub use crate::refresh_store::{RefreshStore, Rotated, Rotation, Which};
pub use crate::refresh_token::{RefreshIds, RefreshToken, RefreshTokenKey};
