//! Developer commands: `cargo verify`, `cargo demo`, `cargo compose`, `cargo dashboard`, `cargo soak` and `cargo bench-mesh`.

mod bench;
mod bundle;
mod compose;
mod dashboard;
mod demo;
mod earlier;
mod error;
mod install;
mod leftovers;
mod mutations;
mod screenshots;
mod soak;
mod step;
mod tables;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use services::output::{OutputGone, complain};

/// Developer commands of hmac-mesh.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Brings the servers, checks format and lints, and runs every test.
    Verify(verify::Options),
    /// Builds the images, runs the mesh in containers, and the stories against it.
    Compose(compose::Options),
    /// Builds the dashboard's bundle for the browser.
    #[command(subcommand)]
    Dashboard(dashboard::Command),
    /// Runs the mesh until Ctrl-C.
    Demo(demo::Options),
    /// Takes the pictures of the documentation, of the demo as it runs.
    Screenshots,
    /// Makes many changes while servers and peers break, and compares every record in the end.
    Soak(soak::Options),
    /// Breaks the propagation in every listed way, in a copy, and shows that the simulation sees it.
    Mutations(mutations::Options),
    /// Writes the tables of the documentation that mirror tests.
    Tables(tables::Options),
    /// Measures the rows of `docs/performance.md`, on private real servers.
    BenchMesh(bench::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Verify(options) => verify::run(options).await,
        Command::Compose(options) => compose::run(options).await,
        Command::Dashboard(command) => dashboard::run(command).await,
        Command::Demo(options) => demo::run(options).await,
        Command::Screenshots => screenshots::run().await,
        Command::Soak(options) => soak::run(options).await,
        Command::Mutations(options) => mutations::run(options).await,
        Command::Tables(options) => tables::run(options).await,
        Command::BenchMesh(options) => bench::run(options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<OutputGone>() {
                complain(format_args!("error: {error}"));
            }
            ExitCode::FAILURE
        }
    }
}
