//! The table at the end.

use std::fmt;

/// Rows in the order they were measured.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    /// Adds a row: what was measured, ours, its floor, and ours against the floor.
    pub(crate) fn add(&mut self, row: &str, ours: String, floor: String, ratio: String) {
        self.rows.push([row.to_owned(), ours, floor, ratio]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = [
            "row",
            "ours (median)",
            "floor (median, same run)",
            "ours / floor",
        ];
        writeln!(f, "| {} |", header.join(" | "))?;
        writeln!(f, "|---|---|---|---|")?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

/// The median of some figures; 0 when there is none.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
