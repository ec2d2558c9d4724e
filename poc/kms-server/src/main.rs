//! Starts the key server, and ends it on SIGTERM or SIGINT.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use kms::KmsConfig;
use kms_server::config::providers;
use kms_server::failure::Failure;
use kms_server::wrap::wrap;
use kms_server::{Application, Arguments, Command, Settings, WrapKey};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What a command prints is its own.
    tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::stderr)
        .init();
    let ended = match &arguments.command {
        Some(Command::Wrap(asked)) => match providers(&arguments, &variable) {
            Ok(config) => print_wrapped(&config, asked).await,
            Err(mistakes) => return wrong(&mistakes),
        },
        None => match Settings::load(&arguments, &variable) {
            Ok(settings) => serve(settings).await,
            Err(mistakes) => return wrong(&mistakes),
        },
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!(why = auth_base::chain(&*failure), "the key server ends");
            ExitCode::FAILURE
        }
    }
}

fn variable(name: &str) -> Option<String> {
    let all = std::env::vars_os().filter(|(it, _)| it == name);
    all.filter_map(|(_, value)| value.into_string().ok()).next()
}

fn wrong(mistakes: &[String]) -> ExitCode {
    for mistake in mistakes {
        tracing::error!("{mistake}");
    }
    ExitCode::from(2)
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let application = Application::bind(settings).await?;
    application.run_until(stop()).await
}

async fn print_wrapped(config: &KmsConfig, asked: &WrapKey) -> Result<(), Failure> {
    let wrapped = wrap(config, asked).await?;
    writeln!(std::io::stdout(), "{wrapped}")?;
    Ok(())
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
