//! The simulation of a propagation that is broken on purpose: `cargo run --package broken -- --mutation NAME`.

use std::process::ExitCode;

use broken::cli::Mutations;
use mutants::mutation::{ALL, switch_on};

fn main() -> ExitCode {
    broken::cli::main(
        "cargo run --package broken --",
        Some(Mutations {
            all: ALL,
            switch_on,
        }),
    )
}
