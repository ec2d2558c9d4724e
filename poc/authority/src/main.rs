//! The binary of a full-mode peer on axum.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::process::run_full(&authority::DEFAULTS, authority::build, kit_backends::reseal)
}
