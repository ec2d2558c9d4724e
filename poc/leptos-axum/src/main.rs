//! The binary of a full-mode peer on axum with the dashboard.

use std::process::ExitCode;

fn main() -> ExitCode {
    peer_kit::process::run_full(
        &leptos_axum::DEFAULTS,
        leptos_axum::build,
        peer_backends::sql::reseal,
    )
}
