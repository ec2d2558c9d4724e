//! Peers of an earlier version beside those of this one: the story that has both is ignored in every run, for it has to build
//! the earlier version first.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dashboard::{target_folder, workspace};
use crate::error::Error;
use crate::step::Step;

/// The last commit that stored and sent what this version must still understand, and the other way round. It moves when a
/// release says that an older peer may no longer be beside a new one.
const COMMIT: &str = "418a1945e7df1ebe765df37dab704343e85418cb";

/// The peers' programs.
const PEERS: [&str; 4] = ["authority", "consumer", "leptos-axum", "leptos-actix"];

/// The story of `tests/e2e`.
const STORY: &str = "an_earlier_version_shares_mesh_redis_and_schema";

/// Builds the earlier version once, below the target folder, and tells the story.
pub(crate) async fn run() -> Result<(), Error> {
    let programs = programs(&target_folder()?.join("earlier")).await?;
    Step::cargo("earlier version beside this one")
        .arguments(["test", "--workspace", "--quiet", "--test", "e2e", "--"])
        .arguments(["--ignored", STORY])
        .variable("HMAC_MESH_EARLIER", &programs.display().to_string())
        .run()
        .await
}

/// The folder with the programs of the earlier version.
async fn programs(folder: &Path) -> Result<PathBuf, Error> {
    let (source, target) = (folder.join(COMMIT), folder.join("target"));
    if !source.is_dir() {
        fs::create_dir_all(folder)?;
        // Outside of this repository's own worktrees, of which nothing is left to be pruned.
        Step::new("clone of the earlier version", "git")
            .arguments(["clone", "--quiet", "--shared", "--no-checkout"])
            .arguments([workspace(), source.clone()])
            .run()
            .await?;
    }
    if !source.join("Cargo.toml").is_file() {
        Step::new("earlier version", "git")
            .arguments(["-C".into(), source.clone()])
            .arguments(["checkout", "--quiet", "--detach", COMMIT])
            .run()
            .await?;
    }
    let peers = PEERS.iter().flat_map(|peer| ["--package", peer]);
    Step::cargo("build of the earlier version")
        .arguments(["build", "--quiet", "--manifest-path"])
        .arguments([source.join("Cargo.toml"), "--target-dir".into()])
        .arguments([&target])
        .arguments(peers)
        .run()
        .await?;
    Ok(target.join("debug"))
}
