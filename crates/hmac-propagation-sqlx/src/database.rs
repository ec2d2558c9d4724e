//! The database behind [`sql_link`]'s door, and what this store does with it besides.

mod bulks;

pub(crate) use bulks::{Bulks, JsonRow};
pub(crate) use sql_link::{Database, Mode, Row, Session, Value, Work};
