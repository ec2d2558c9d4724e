//! One door to MariaDB and SQLite, with bounds.
//!
//! Everything that keeps rows stands on this crate, as what keeps keys in Redis stands on `redis-link`. It gives units of work
//! ([`Work`]): each is one transaction, run again after a conflict or a lost connection, within one time limit. It knows which
//! failures are whose turn ([`Remedy`]), and brings a schema to its newest version with several replicas starting at once
//! ([`schema`]). sqlx stays inside: no type of it is needed by who uses this crate.
//!
//! ```no_run
//! use sql_link::{Database, Isolation, Mode, Session, SqlError, SqlOptions, Value, Work};
//!
//! struct Rename<'a> {
//!     id: i64,
//!     name: &'a str,
//! }
//!
//! impl Work for Rename<'_> {
//!     type Output = bool;
//!     type Error = SqlError;
//!
//!     async fn run(&self, session: &mut Session) -> Result<bool, SqlError> {
//!         let values = [Value::Text(self.name), Value::Int(self.id)];
//!         let renamed = session.execute("UPDATE people SET name = ? WHERE id = ?", &values).await?;
//!         Ok(renamed == 1)
//!     }
//! }
//!
//! # async fn start() -> Result<(), SqlError> {
//! let database =
//!     Database::connect("sqlite:people.db", SqlOptions::default(), Isolation::ReadCommitted).await?;
//! database.run(&Rename { id: 1, name: "Ada" }).await?;
//! # Ok(()) }
//! ```
//!
//! # What it does not do
//! It maps no rows to types and builds no SQL: a statement is a constant, and its parameters are bound. It is no migrator for
//! schemas of others.

pub mod dialect;
pub mod error;
pub mod options;

pub mod row;
pub mod schema;
pub mod session;

pub mod database;

mod connections;
mod file_lease;
mod open;

pub use crate::database::{Database, Work};
pub use crate::dialect::{Dialect, Isolation, Statement};
pub use crate::error::{Failure, Remedy, SqlError};
pub use crate::options::SqlOptions;
pub use crate::row::{Row, Value};
pub use crate::schema::{Migration, Schema, Versions};
pub use crate::session::{Mode, Session};
