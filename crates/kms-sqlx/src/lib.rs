//! Key management and key rings in MariaDB and SQLite.
//!
//! [`SqlKeyManagement`] keeps private keys sealed with AES-256-GCM, each bound to its row; [`SqlKeyRingStore`] keeps the rings
//! of [`kms::key_ring`]. The two share nothing but a schema (`kms_db`), which belongs to them alone, and may be in two: a
//! service that keeps rings needs no rights on private keys.
//!
//! ```no_run
//! use kms_sqlx::{KmsDatabase, SecretsKey, SqlKeyManagement, SqlKeyRingStore, SqlOptions};
//!
//! # async fn start(secrets_key: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let database = KmsDatabase::connect("sqlite:keys.db", SqlOptions::default()).await?;
//! let keys = SqlKeyManagement::new(database.clone(), &SecretsKey::parse(secrets_key)?);
//! let rings = SqlKeyRingStore::new(database);
//! # drop((keys, rings));
//! # Ok(())
//! # }
//! ```
//!
//! # What it does not do
//! It signs in this process: who reads its memory has the keys. A key is read and opened for each signature, so that a
//! deleted one signs no more, whoever deleted it.

pub mod database;
pub mod error;
pub mod key_management;
pub mod reseal;
pub mod ring_store;
pub mod secrets;

pub use crate::database::KmsDatabase;
pub use crate::error::SqlError;
pub use crate::key_management::SqlKeyManagement;
pub use crate::ring_store::SqlKeyRingStore;
pub use crate::secrets::{InvalidSecretsKey, SecretsKey};
pub use sql_link::SqlOptions;
