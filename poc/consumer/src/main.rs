//! The binary of a receive-only peer on actix-web.

use std::process::ExitCode;

fn main() -> ExitCode {
    peer_kit::process::run(&consumer::DEFAULTS, consumer::build)
}
