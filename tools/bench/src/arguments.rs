//! The command line.

use clap::Parser;

/// Measures signing, verifying and propagating on this machine.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// Runs of each row; the median is printed.
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
    /// Clients of the bulk sync.
    #[arg(long, default_value_t = 500)]
    pub(crate) clients: usize,
    /// Single changes, one after the other.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) changes: usize,
    /// Connections of the HTTP rows.
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// Seconds of each HTTP row and run.
    #[arg(long, default_value_t = 3)]
    pub(crate) seconds: u64,
    /// Clients that the dashboard shows, and that are compared in a check for drift.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) shown: usize,
    /// Only the groups whose name contains this: "sign verify", "http", "sync change ensure", "drift",
    /// "footprint", "dashboard".
    #[arg(long)]
    only: Option<String>,
}

impl Arguments {
    /// Tells whether the rows of this group are measured.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| row.contains(only.as_str()))
    }
}
