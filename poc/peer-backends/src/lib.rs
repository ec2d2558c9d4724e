//! Pieces of wiring that several peers share, and no single adapter could have: each sees two of them, or one of them and what
//! peers are made of. A peer's `main.rs` puts them together.

pub mod backends;
pub mod memory;
pub mod redis;
pub mod signed_get;
pub mod sql;

mod retention;
