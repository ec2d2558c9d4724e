//! Starts the accounts service, and ends it on SIGTERM or SIGINT.

use std::io::Write as _;
use std::process::ExitCode;

use accounts_server::failure::Failure;
use accounts_server::{Application, Arguments, Command, Settings, command};
use clap::Parser as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

#[tokio::main]
async fn main() -> ExitCode {
    // As the peers do: `info` unless something else is said. What a command prints is its own.
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter.parse_lossy(variable("RUST_LOG").unwrap_or_default()))
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Command::User { command }) => match Settings::for_command(&arguments) {
            Ok((url, key)) => command::run(command, &url, key).await.map(|it| print(&it)),
            Err(mistakes) => return misconfigured(mistakes),
        },
        None => match Settings::load(&arguments) {
            Ok(settings) => serve(settings).await.map(|()| ExitCode::SUCCESS),
            Err(mistakes) => return misconfigured(mistakes),
        },
    };
    done.unwrap_or_else(|failure| failed(&failure))
}

fn variable(name: &str) -> Option<String> {
    let all = std::env::vars_os().filter(|(it, _)| it == name);
    all.filter_map(|(_, value)| value.into_string().ok()).next()
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let application = Application::bind(settings).await?;
    // Whoever reads that it listens may ask it to end.
    let terminate = signal(SignalKind::terminate())?;
    let address = application.address();
    tracing::info!(%address, "listening");
    application.run_until(stop(terminate)).await
}

/// What was done is for the operator: it goes to the standard output.
fn print(done: &str) -> ExitCode {
    match std::io::stdout().write_all(done.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn misconfigured(mistakes: Vec<String>) -> ExitCode {
    for mistake in mistakes {
        tracing::error!("{mistake}");
    }
    ExitCode::from(2)
}

fn failed(failure: &Failure) -> ExitCode {
    tracing::error!(
        why = auth_base::chain(&**failure),
        "the accounts service ends"
    );
    ExitCode::FAILURE
}

async fn stop(mut terminate: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
