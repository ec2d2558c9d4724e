//! Accounts, failed sign-ins, refresh families and the audit in MariaDB and SQLite.
//!
//! [`SqlAccounts`] fills the four seams of [`accounts`] over one schema (`accounts_db`), which belongs to it alone. It decides
//! nothing: each call is one transaction that locks and loads rows, asks the contract, and writes what it says. The SQL of the
//! tables is in `migrations/`.
//!
//! ```no_run
//! use accounts::{AccountStore, Email};
//! use accounts_sqlx::{SqlAccounts, SqlOptions};
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let store = SqlAccounts::connect("sqlite:accounts.db", SqlOptions::default()).await?;
//! let found = store.by_email(&Email::parse("ada@example.org")?).await?;
//! println!("{:?}", found.map(|account| account.name));
//! # Ok(()) }
//! ```
//!
//! # What it does not do
//! It forgets nothing by itself: the calls that sweep are yours to make, now and then.

pub mod database;

mod accounts_rows;
mod audit_rows;
mod failure_rows;
mod family_rows;
mod refresh_rows;
mod refresh_work;
mod sweep;

mod account_store;
mod audit_store;
mod failure_store;
mod refresh_store;

pub use crate::database::SqlAccounts;
pub use sql_link::{SqlError, SqlOptions};
