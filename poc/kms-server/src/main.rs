//! Starts the key server, and ends it on SIGTERM or SIGINT.

use std::process::ExitCode;

use clap::Parser as _;
use kms_server::{Application, Arguments, Settings};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().json().init();
    let variables = |name: &str| {
        let all = std::env::vars_os().filter(|(it, _)| it == name);
        all.filter_map(|(_, value)| value.into_string().ok()).next()
    };
    let settings = match Settings::load(&Arguments::parse(), &variables) {
        Ok(settings) => settings,
        Err(mistakes) => {
            for mistake in mistakes {
                tracing::error!("{mistake}");
            }
            return ExitCode::from(2);
        }
    };
    let ended = match Application::bind(settings).await {
        Ok(application) => application.run_until(stop()).await,
        Err(failure) => Err(failure),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!(why = auth_base::chain(&*failure), "the key server ends");
            ExitCode::FAILURE
        }
    }
}

async fn stop() {
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}
