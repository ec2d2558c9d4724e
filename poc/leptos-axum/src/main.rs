//! The binary of a full-mode peer on axum with the dashboard.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::process::run_full(
        &leptos_axum::DEFAULTS,
        leptos_axum::build,
        kit_backends::reseal,
    )
}
