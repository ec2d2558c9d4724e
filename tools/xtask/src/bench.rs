//! `cargo bench-mesh`: builds what is measured as users run it, and measures it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use services::output::say;

use crate::error::Error;
use crate::step::Step;
use crate::{dashboard, install};

/// The programs that are measured, and the one that measures.
const PACKAGES: [&str; 5] = [
    "authority",
    "consumer",
    "leptos-axum",
    "leptos-actix",
    "bench",
];

/// Options of `cargo bench-mesh`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Given to the benches; `cargo bench-mesh --help` names them.
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Measures every row.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    install::servers(install::given).await?;
    install::browser().await?;
    let packages = PACKAGES.iter().flat_map(|package| ["--package", package]);
    Step::cargo("build, optimised")
        .arguments(["build", "--release"])
        .arguments(packages)
        .run()
        .await?;
    dashboard::build().await?;
    let program = dashboard::target_folder()?.join("release/bench");
    say("")?;
    Err(format!(
        "the benches cannot be run: {}",
        Command::new(program).args(options.arguments).exec()
    )
    .into())
}
