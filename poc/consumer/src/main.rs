//! The binary of a receive-only peer on actix-web.

use std::process::ExitCode;

use consumer::Application;
use hmac_propagation::propagator::Mode;
use kit::config::Defaults;

const DEFAULTS: Defaults = Defaults {
    binary: "consumer",
    about: "A receive-only peer of the mesh: receives credential changes and serves what they protect",
    mode: Mode::ReceiveOnly,
    peer: "consumer",
    port: 3002,
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
