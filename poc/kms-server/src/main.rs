//! Starts the key server, and ends it on SIGTERM or SIGINT.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use kms_server::config::Command;
use kms_server::failure::Failure;
use kms_server::reseal::Resealed;
use kms_server::{Application, Arguments, Settings, reseal};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let variables = |name: &str| {
        let all = std::env::vars_os().filter(|(it, _)| it == name);
        all.filter_map(|(_, value)| value.into_string().ok()).next()
    };
    // As the peers do: `info` unless something else is said.
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter.parse_lossy(variables("RUST_LOG").unwrap_or_default()))
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    match &arguments.command {
        Some(Command::Reseal { config }) => match reseal::target(config, &variables) {
            Ok(sql) => resealed(reseal::run(&sql).await),
            Err(mistakes) => misconfigured(mistakes),
        },
        None => match Settings::load(&arguments, &variables) {
            Ok(settings) => served(serve(settings).await),
            Err(mistakes) => misconfigured(mistakes),
        },
    }
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let application = Application::bind(settings).await?;
    let address = application.address();
    tracing::info!(%address, "listening");
    application.run_until(stop()).await
}

fn served(ended: Result<(), Failure>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure),
    }
}

/// What was done is for the operator: it goes to the standard output.
fn resealed(resealed: Result<Resealed, Failure>) -> ExitCode {
    match resealed {
        Ok(resealed) => {
            // Nobody may read it.
            let _ = writeln!(std::io::stdout(), "{resealed}");
            match resealed.is_complete() {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
        Err(failure) => failed(&failure),
    }
}

fn misconfigured(mistakes: Vec<String>) -> ExitCode {
    for mistake in mistakes {
        tracing::error!("{mistake}");
    }
    ExitCode::from(2)
}

fn failed(failure: &Failure) -> ExitCode {
    tracing::error!(why = auth_base::chain(&**failure), "the key server ends");
    ExitCode::FAILURE
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
