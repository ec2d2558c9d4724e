//! The binary of a full-mode peer on axum.

use std::process::ExitCode;

fn main() -> ExitCode {
    peer_kit::process::run_full(
        &authority::DEFAULTS,
        authority::build,
        peer_backends::sql::reseal,
    )
}
