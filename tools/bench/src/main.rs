//! Measures the rows of `docs/performance.md`, each beside its own floor in the same run, on private real servers.

mod arguments;
mod broker_floor;
mod crypto;
mod dashboard;
mod error;
mod footprint;
mod http;
mod load;
mod mesh;
mod peers;
mod propagation;
mod table;

use clap::Parser;

use arguments::Arguments;
use error::Error;
use table::Table;

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
    // Who has read enough may have left.
    let _ = services::output::say(table);
    Ok(())
}
