//! The binary of a full-mode peer on axum with the dashboard.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::process::run(&leptos_axum::DEFAULTS, leptos_axum::build)
}
