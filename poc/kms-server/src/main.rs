//! Starts the key server, and ends it on SIGTERM or SIGINT.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use kms_server::config::providers;
use kms_server::failure::Failure;
use kms_server::reseal::Resealed;
use kms_server::wrap::wrap;
use kms_server::{Application, Arguments, Command, Settings, reseal};
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
        Some(Command::Wrap(asked)) => match providers(&arguments, &variable) {
            Ok(config) => wrap(&config, asked).await.map(|key| print(&key)),
            Err(mistakes) => return misconfigured(mistakes),
        },
        Some(Command::Reseal) => {
            let target = providers(&arguments, &variable);
            match target.and_then(|config| reseal::target(&config)) {
                Ok(sql) => reseal::run(&sql).await.map(|resealed| told(&resealed)),
                Err(mistakes) => return misconfigured(mistakes),
            }
        }
        None => match Settings::load(&arguments, &variable) {
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
fn print(done: &dyn std::fmt::Display) -> ExitCode {
    match writeln!(std::io::stdout(), "{done}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn told(resealed: &Resealed) -> ExitCode {
    match (print(resealed), resealed.is_complete()) {
        (printed, true) => printed,
        (_, false) => ExitCode::FAILURE,
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

async fn stop(mut terminate: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
