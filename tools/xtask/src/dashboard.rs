//! `cargo dashboard`: the dashboard compiled for the browser, with nothing to install but the compiler's target.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use services::output::say;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::bundle::{self, Inputs};
use crate::error::Error;
use crate::step::Step;

const TARGET: &str = "wasm32-unknown-unknown";

/// Editors write a file in several steps: a build begins when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(150);

/// What of the dashboard to do.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Builds the bundle unless it is there already.
    Build,
    /// Builds it again whenever the dashboard's sources change; a running peer serves the new one from the next page on.
    Watch,
}

/// Runs it.
pub(crate) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Build => build().await,
        Command::Watch => watch().await,
    }
}

/// Builds the bundle into `target/dashboard`, unless it is there for the same sources. Where the compiler's target cannot be
/// had, says so in a line: the dashboards work without it, only not live.
pub(crate) async fn build() -> Result<(), Error> {
    let target = target_folder()?;
    let output = target.join("dashboard");
    let inputs = Inputs::read(&workspace())?;
    if bundle::is_there(&output, &inputs) {
        say("── dashboard: the bundle is there ──")?;
        return Ok(());
    }
    if let Err(reason) = compiler_target().await {
        say(format_args!(
            "── dashboard: {TARGET} cannot be had ({reason}); the dashboards work without JavaScript, not live ──"
        ))?;
        return Ok(());
    }
    let wasm = target.join("wasm");
    Step::cargo("dashboard: compile for the browser")
        .arguments([
            "build",
            "--package",
            "dashboard-web",
            "--target",
            TARGET,
            "--profile",
            "wasm-release",
        ])
        .arguments([
            "--quiet".into(),
            "--target-dir".into(),
            wasm.clone().into_os_string(),
        ])
        .run()
        .await?;
    let compiled = wasm.join(TARGET).join("wasm-release/dashboard_web.wasm");
    let start = Instant::now();
    let sizes = tokio::task::spawn_blocking(move || {
        bundle::write(&compiled, &workspace(), &output, &inputs)
    })
    .await
    .map_err(|error| format!("the bundle: {error}"))??;
    say(format_args!(
        "── dashboard: bundle written in {:.1} s: {sizes} ──",
        start.elapsed().as_secs_f64()
    ))?;
    Ok(())
}

/// Makes sure that the compiler has its part for the browser; rustup adds it when missing.
async fn compiler_target() -> Result<(), String> {
    let print = ["--print", "target-libdir", "--target", TARGET];
    let output = tokio::process::Command::new("rustc")
        .args(print)
        .stderr(Stdio::null())
        .output()
        .await;
    let folder = output.map_err(|error| format!("rustc: {error}"))?.stdout;
    if Path::new(String::from_utf8_lossy(&folder).trim()).is_dir() {
        return Ok(());
    }
    let step = Step::new("add the compiler's target for the browser", "rustup");
    step.arguments(["target", "add", TARGET])
        .run()
        .await
        .map_err(|error| error.to_string())
}

async fn watch() -> Result<(), Error> {
    let (sender, mut changes) = mpsc::channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| {
            event.kind.is_modify() || event.kind.is_create() || event.kind.is_remove()
        }) {
            // One that waits already stands for all.
            let _ = sender.try_send(());
        }
    })?;
    for folder in bundle::SOURCES {
        watcher.watch(&workspace().join(folder), RecursiveMode::Recursive)?;
    }
    loop {
        if let Err(error) = build().await {
            say(error)?;
        }
        say("watching; Ctrl-C ends")?;
        if changes.recv().await.is_none() {
            return Ok(());
        }
        while timeout(QUIET, changes.recv())
            .await
            .is_ok_and(|change| change.is_some())
        {}
    }
}

/// The folder of this workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("."))
        .to_owned()
}

/// The build's folder: this program lies in `<target>/<profile>/`.
pub(crate) fn target_folder() -> Result<PathBuf, Error> {
    let program = std::env::current_exe()?;
    let folder = program
        .ancestors()
        .nth(2)
        .ok_or("this program's folder is not known")?;
    Ok(folder.to_owned())
}
