//! The binary of a full-mode peer on actix-web with the dashboard.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::process::run_full(
        &leptos_actix::DEFAULTS,
        leptos_actix::build,
        kit_backends::reseal,
    )
}
