//! Measures the rows of `docs/performance.md`, each beside its own floor in the same run, on private real servers.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod broker_floor;
mod crypto;
mod dashboard;
mod footprint;
mod http;
mod load;
mod mesh;
mod peers;
mod propagation;
mod table;

use clap::Parser;

use table::Table;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Measures signing, verifying and propagating on this machine.
#[derive(Parser)]
struct Arguments {
    /// Runs of each row; the median is printed.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Clients of the bulk sync.
    #[arg(long, default_value_t = 500)]
    clients: usize,
    /// Single changes, one after the other.
    #[arg(long, default_value_t = 1_000)]
    changes: usize,
    /// Connections of the HTTP rows.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds of each HTTP row and run.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Clients that the dashboard shows, and that are compared in a check for drift.
    #[arg(long, default_value_t = 10_000)]
    shown: usize,
    /// Only the groups whose name contains this: "sign verify", "http", "sync change ensure", "drift",
    /// "footprint", "dashboard".
    #[arg(long)]
    only: Option<String>,
}

impl Arguments {
    fn wants(&self, row: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| row.contains(only.as_str()))
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let mut table = Table::default();
    if arguments.wants("sign verify") {
        crypto::measure(arguments.runs, &mut table).await?;
    }
    if arguments.wants("http") {
        http::measure(&arguments, &mut table).await?;
    }
    if arguments.wants("sync change ensure") {
        propagation::measure(&arguments, &mut table).await?;
    }
    if arguments.wants("drift") {
        propagation::drift(&arguments, &mut table).await?;
    }
    if arguments.wants("footprint") {
        footprint::measure(arguments.runs, &mut table).await?;
    }
    if arguments.wants("dashboard") {
        dashboard::measure(&arguments, &mut table).await?;
    }
    println!("{table}");
    Ok(())
}
