//! Reference management store: MariaDB and SQLite.
//!
//! [`SqlManagement`] keeps, for a source, which client should be where and how far it has come. The rules are those of
//! [`hmac_propagation::management`]; tables and the operator's queries are in `docs/sql-schema.md`, the SQL of the tables in
//! `migrations/`.
//!
//! ```no_run
//! use hmac_propagation_sqlx::{SecretsKey, SqlManagement, SqlOptions};
//!
//! # async fn start(secrets_key: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let key = SecretsKey::parse(secrets_key)?;
//! let management = SqlManagement::connect("sqlite:mesh.db", key, SqlOptions::default()).await?;
//! println!("{:?}", management.counts().await?);
//! # Ok(())
//! # }
//! ```

pub mod backlog;
pub mod inventory;
pub mod management;
pub mod options;
pub mod reseal;
pub mod rows;
pub mod secrets;
pub mod state;

mod change;
mod claim;
mod database;
mod error;
mod marks;
mod probe;
mod resync;
mod schema;
mod settled;
mod statements;

pub use management::SqlManagement;
pub use options::SqlOptions;
pub use secrets::SecretsKey;
