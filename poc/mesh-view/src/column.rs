//! One column of the matrix: what a peer's store holds, as far as it was read, and how many of its cells are in each state.

use std::collections::HashMap;

use mesh_api::mesh::CellState;

use crate::cells::{Held, Seen};
use crate::row_key::RowKey;

/// Why nothing is known of what a target holds.
pub(crate) const UNWATCHED: &str = "its store is not read from here";

/// One peer's store as it was last read.
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) is_self: bool,
    /// Whether it is read at all.
    pub(crate) watched: bool,
    /// Why it cannot be read, when it cannot.
    pub(crate) away: Option<String>,
    pub(crate) held: HashMap<RowKey, Held>,
    /// Cursors that were looked at: of clients that differ from what is wanted.
    pub(crate) cursors: HashMap<RowKey, i64>,
    pub(crate) counts: Counts,
}

impl Column {
    pub(crate) fn new(name: String, is_self: bool, watched: bool) -> Self {
        let away = if watched {
            "it was not read yet"
        } else {
            UNWATCHED
        };
        Self {
            name,
            is_self,
            watched,
            away: Some(away.to_owned()),
            held: HashMap::new(),
            cursors: HashMap::new(),
            counts: Counts::default(),
        }
    }

    pub(crate) fn seen(&self, key: &RowKey) -> Seen<'_> {
        Seen {
            peer: &self.name,
            is_self: self.is_self,
            watched: self.watched,
            readable: self.away.is_none(),
            held: self.held.get(key),
            cursor: self.cursors.get(key).copied(),
        }
    }
}

/// How many cells of a column, or rows, are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) in_sync: usize,
    pub(crate) behind: usize,
    pub(crate) missing: usize,
    pub(crate) unexpected: usize,
    pub(crate) unknown: usize,
}

impl Counts {
    pub(crate) fn of(&mut self, state: CellState) -> Option<&mut usize> {
        Some(match state {
            CellState::InSync => &mut self.in_sync,
            CellState::Behind => &mut self.behind,
            CellState::Missing => &mut self.missing,
            CellState::Unexpected => &mut self.unexpected,
            CellState::Unknown => &mut self.unknown,
            CellState::None => return None,
        })
    }

    pub(crate) fn drift(self) -> usize {
        self.behind + self.missing + self.unexpected
    }
}
