//! The binary of a full-mode peer on actix-web with the dashboard.

use std::process::ExitCode;

fn main() -> ExitCode {
    peer_kit::process::run_full(
        &leptos_actix::DEFAULTS,
        leptos_actix::build,
        peer_backends::sql::reseal,
    )
}
