//! `cargo compose`: what the README says of containers, done, on free ports and beside whatever else is running.

mod keys;
mod mesh;

use std::process::Stdio;

use futures_util::future::join_all;
use tokio::process::Command;

use crate::error::Error;
use mesh::{CLUSTER, Mesh};

/// So many meshes share the stories, each of which has a mesh to itself: stories wait more than they work.
const MESHES: usize = 2;

/// Options of `cargo compose`.
#[derive(Default, clap::Args)]
pub(crate) struct Options {
    /// Without the cluster.
    #[arg(long, conflicts_with = "only_cluster")]
    no_cluster: bool,
    /// Only the cluster.
    #[arg(long)]
    only_cluster: bool,
    /// Programs as a user's `docker compose up --build` makes them; they take twice as long to build.
    #[arg(long)]
    release: bool,
    /// With peers that ask for tokens.
    #[arg(long)]
    tokens: bool,
    /// Only the stories whose name contains one of these, in one mesh.
    stories: Vec<String>,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    answers("docker", &["info"], "a container engine that runs").await?;
    answers("docker", &["compose", "version"], "Docker Compose v2").await?;
    let profile = if options.release { "release" } else { "dev" };
    let count = if options.stories.is_empty() && !options.only_cluster {
        MESHES
    } else {
        1
    };
    let meshes: Result<Vec<Mesh>, Error> = (1..=count)
        .map(|number| Mesh::new(number, profile, options.tokens))
        .collect();
    let meshes = meshes?;
    let outcome = tokio::select! {
        outcome = steps(&meshes, &options) => outcome,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    let mut down = Ok(());
    for mesh in &meshes {
        if outcome.is_err() {
            // What the containers say is gone with them.
            let _ = mesh
                .step(
                    "the end of every log",
                    &[],
                    &["logs", "--tail", "15", "--no-color"],
                )
                .run()
                .await;
        }
        down = down.and(mesh.down().await);
    }
    outcome.and(down)
}

async fn answers(program: &str, arguments: &[&str], what: &str) -> Result<(), Error> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.status().await {
        Ok(status) if status.success() => Ok(()),
        _ => Err(
            format!("cargo compose needs {what}: https://docs.docker.com/engine/install/").into(),
        ),
    }
}

async fn steps(meshes: &[Mesh], options: &Options) -> Result<(), Error> {
    let [first, ..] = meshes else { return Ok(()) };
    if !options.only_cluster {
        // From the second on they are the first one's, under another name.
        for mesh in meshes {
            mesh.build(&[]).await?;
        }
        all(meshes.iter().map(|mesh| mesh.up(&[]))).await?;
        for mesh in meshes {
            mesh.dashboards().await?;
        }
        let stories = first.list(&options.stories).await?;
        let shares = (0..meshes.len()).map(|at| {
            let share = stories.iter().skip(at).step_by(meshes.len());
            ["--exact", "--include-ignored"]
                .map(str::to_owned)
                .into_iter()
                .chain(share.cloned())
                .collect::<Vec<_>>()
        });
        all(meshes
            .iter()
            .zip(shares)
            .map(async |(mesh, share)| mesh.stories(&[], &share).await))
        .await?;
        for mesh in meshes {
            mesh.down().await?;
        }
    }
    if !options.no_cluster {
        first.build(&CLUSTER).await?;
        first.up(&CLUSTER).await?;
        first
            .stories(&CLUSTER, &["--ignored", "cluster::"].map(str::to_owned))
            .await?;
    }
    Ok(())
}

/// Lets all come to their end, and fails when one has: what the others do is not cut off, and what they find counts too.
async fn all(
    some: impl Iterator<Item = impl Future<Output = Result<(), Error>>>,
) -> Result<(), Error> {
    join_all(some).await.into_iter().collect()
}
