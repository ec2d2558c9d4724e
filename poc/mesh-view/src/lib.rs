//! The view of the whole mesh: what every peer's store really holds, beside what this peer's management store wants there.
//!
//! ```text
//!  stores of all peers ──► follow ──► table (cells judged, rows ordered) ──► page     one page of the matrix
//!  own management store ──┘                     │
//!  every peer's /readyz ──► health              └──► events                           changes as they happen
//! ```
//!
//! It begins at the first question, and ends when nobody asked or listened for a while. In between every store is followed by its
//! own announcements and this peer's changes by `Propagator::subscribe`; nothing is asked over and over. Rows are kept judged and
//! ordered, so a question walks an index and reads nothing. Whoever listens is sent changes, not states; one who is slow is
//! told to read anew.

pub mod sources;
pub mod view;

pub mod control;
pub mod probe;
pub mod stores;

mod follow;
mod health;
mod shared;

mod page;
mod table;

mod cells;
mod column;
mod row_key;

mod events;
