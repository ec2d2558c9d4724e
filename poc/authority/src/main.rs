//! The binary of a full-mode peer on axum.

use std::process::ExitCode;

use authority::Application;
use hmac_propagation::propagator::Mode;
use kit::config::Defaults;

const DEFAULTS: Defaults = Defaults {
    binary: "authority",
    about: "A full-mode peer of the mesh: accepts credential changes, propagates them, and receives those of others",
    mode: Mode::Full,
    peer: "authority",
    port: 3001,
};

fn main() -> ExitCode {
    kit::process::run(&DEFAULTS, |config, stop| async move {
        let application = Application::build(config).await?;
        let own = application.stop();
        tokio::spawn(async move {
            stop.asked().await;
            own.ask();
        });
        application.run_until_stopped().await
    })
}
