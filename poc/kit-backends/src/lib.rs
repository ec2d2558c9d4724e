//! Which broker and which stores there are: the one place where adapters meet. A peer names one of these functions and
//! nothing of what stands behind it.

pub mod embedded;
pub mod error;
pub mod real;
mod retention;
pub mod signed_get;
mod sql;
mod views;

pub use crate::sql::reseal;
