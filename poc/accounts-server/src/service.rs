//! What the service does, without a framework: every call of the private API as a method of [`Accounts`].
//!
//! What is decided of rows is decided in the `accounts` crate; here stands the order of the steps, what the audit says of them,
//! and who may ask.

pub mod accounts;
pub mod audit;
pub mod caller;
pub mod hashing;
pub mod links;
pub mod problem;
mod record;
pub mod refresh;
pub mod sessions;
pub mod sign_in;
pub mod stores;
pub mod sweep;
pub mod users;

pub use self::accounts::{Accounts, Policy};
pub use self::caller::Caller;
pub use self::problem::Problem;
pub use self::stores::Stores;
