//! The key server: the HTTP contract of `docs/kms.md` over any provider of `kms.json`.
//!
//! It is a library with a thin `main`, so that tests and `cargo demo` start the same thing in their process.
//!
//! | route | scope | does |
//! |---|---|---|
//! | `POST /keys` | `kms:admin` | makes a key that signs, or one that wraps |
//! | `GET /keys/{kid}` | `kms:sign` or `kms:admin` | shows its public half |
//! | `POST /keys/{kid}/sign` | `kms:sign` | signs |
//! | `POST /keys/{kid}/wrap` | `kms:wrap` | wraps somebody's key |
//! | `POST /keys/{kid}/unwrap` | `kms:wrap` | unwraps it |
//! | `POST /keys/{kid}/import` | `kms:admin` | takes a key that somebody else made |
//! | `DELETE /keys/{kid}` | `kms:admin` | forgets a key |
//! | `GET /health` | – | `{"ok":true}` |
//! | `GET /livez`, `GET /readyz` | – | whether it is alive, and whether its provider is well |

pub mod application;
pub mod config;
pub mod credentials;
pub mod failure;
pub mod providers;
pub mod reseal;
pub mod router;
pub mod wrap;

mod admission;
mod answer;
mod body;
mod health;

pub use crate::application::Application;
pub use crate::config::{Arguments, Command, Settings, WrapKey};
pub use crate::credentials::{Credentials, Scope};
pub use crate::router::router;
