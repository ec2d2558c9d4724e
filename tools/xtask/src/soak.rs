//! `cargo soak`: many changes while everything breaks, one thing after the other.

use crate::error::Error;
use crate::install;
use crate::step::Step;

/// Changes when nothing is said.
const LONG: u64 = 100_000;

/// Options of `cargo soak`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many changes are made.
    #[arg(long, default_value_t = LONG)]
    changes: u64,
    /// The plan of faults and changes; another one each time when it is not given.
    #[arg(long)]
    seed: Option<u64>,
}

impl Options {
    /// As `cargo soak` has them without arguments.
    pub(crate) fn long() -> Self {
        Self {
            changes: LONG,
            seed: None,
        }
    }
}

/// Builds the peers and runs the soak over servers of its own.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    install::servers(install::given).await?;
    Step::cargo("build")
        .arguments(["build", "--workspace", "--all-targets", "--quiet"])
        .run()
        .await?;
    let mut step = Step::cargo("soak")
        .arguments([
            "test",
            "--workspace",
            "--test",
            "e2e",
            "--quiet",
            "--",
            "soak::",
            "--nocapture",
        ])
        // All that so many changes could say would fill the disk.
        .variable("HMAC_MESH_LOG", "info")
        .variable("HMAC_MESH_SOAK_CHANGES", &options.changes.to_string());
    if let Some(seed) = options.seed {
        step = step.variable("HMAC_MESH_SOAK_SEED", &seed.to_string());
    }
    step.run().await
}
