//! `cargo compose`: what the README says of containers, done, on free ports and beside whatever else is running.

use std::process::Stdio;

use services::http::{self, Url};
use tokio::process::Command;

use crate::Error;
use crate::step::Step;

const CLUSTER: [&str; 4] = ["--file", "compose.yaml", "--file", "compose.cluster.yaml"];
const PORTS: [&str; 5] =
    ["AUTHORITY_PORT", "CONSUMER_PORT", "LEPTOS_AXUM_PORT", "LEPTOS_ACTIX_PORT", "RABBITMQ_PORT"];

/// The ports of [`PORTS`] behind which there is a dashboard.
const DASHBOARDS: [usize; 2] = [2, 3];

/// Options of `cargo compose`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Without the cluster.
    #[arg(long, conflicts_with = "only_cluster")]
    no_cluster: bool,
    /// Only the cluster.
    #[arg(long)]
    only_cluster: bool,
    /// Only the stories whose name contains one of these.
    stories: Vec<String>,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    answers("docker", &["info"], "a container engine that runs").await?;
    answers("docker", &["compose", "version"], "Docker Compose v2").await?;
    let mesh = Mesh::new()?;
    let outcome = tokio::select! {
        outcome = mesh.run(&options) => outcome,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    if outcome.is_err() {
        // What the containers say is gone with them.
        let _ = mesh.step("the end of every log", &[], &["logs", "--tail", "15", "--no-color"]).run().await;
    }
    let down = mesh.down().await;
    outcome.and(down)
}

async fn answers(program: &str, arguments: &[&str], what: &str) -> Result<(), Error> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status().await {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("cargo compose needs {what}: https://docs.docker.com/engine/install/").into()),
    }
}

/// A mesh in containers, of a name and on ports of its own.
struct Mesh {
    project: String,
    ports: Vec<u16>,
}

impl Mesh {
    fn new() -> Result<Self, Error> {
        let ports: Result<Vec<u16>, _> = PORTS.iter().map(|_| services::free_port()).collect();
        Ok(Self { project: format!("hmac-mesh-{}", std::process::id()), ports: ports? })
    }

    async fn run(&self, options: &Options) -> Result<(), Error> {
        if !options.only_cluster {
            self.step("images", &[], &["--profile", "test", "build", "--quiet"]).run().await?;
            self.step("four peers", &[], &["up", "--detach", "--wait", "--quiet-pull"]).run().await?;
            self.dashboards().await?;
            self.stories("stories", &[], &options.stories).await?;
            self.down().await?;
        }
        if !options.no_cluster {
            self.step("images of the cluster", &CLUSTER, &["--profile", "test", "build", "--quiet"])
                .run()
                .await?;
            self.step("the cluster", &CLUSTER, &["up", "--detach", "--wait", "--quiet-pull"]).run().await?;
            let only = ["--ignored", "cluster::"].map(str::to_owned);
            self.stories("stories of the cluster", &CLUSTER, &only).await?;
            self.down().await?;
        }
        Ok(())
    }

    async fn dashboards(&self) -> Result<(), Error> {
        for dashboard in DASHBOARDS {
            let url = Url::parse(&format!("http://127.0.0.1:{}/", self.ports[dashboard]))?;
            let (status, page) = http::exchange("GET", url, None).await?;
            let name = PORTS[dashboard].to_lowercase();
            if status != 200 || !page.contains("hydrate") {
                return Err(format!("the dashboard of {name} answers {status}, or without its bundle").into());
            }
        }
        println!("── both dashboards answer, with their bundle ──");
        Ok(())
    }

    async fn stories(&self, name: &str, files: &[&str], only: &[String]) -> Result<(), Error> {
        let mut step = self.step(name, files, &["--profile", "test", "run", "--rm", "--no-TTY", "e2e"]);
        if !only.is_empty() {
            step = step.arguments(only);
        }
        step.run().await
    }

    /// Removes all of it, and says so when something is left.
    async fn down(&self) -> Result<(), Error> {
        let down = [
            "--profile",
            "test",
            "down",
            "--volumes",
            "--remove-orphans",
            "--rmi",
            "local",
            "--timeout",
            "15",
        ];
        self.step("down", &CLUSTER, &down).run().await?;
        let label = format!("label=com.docker.compose.project={}", self.project);
        for list in [&["ps", "--all"][..], &["volume", "ls"], &["network", "ls"]] {
            let listed =
                Command::new("docker").args(list).args(["--quiet", "--filter", &label]).output().await?;
            if !listed.stdout.is_empty() {
                let left = String::from_utf8_lossy(&listed.stdout).into_owned();
                return Err(format!("docker {} lists what is left: {left}", list.join(" ")).into());
            }
        }
        Ok(())
    }

    /// A `docker compose` command, with the files' own arguments before the command's.
    fn step(&self, name: &str, files: &[&str], arguments: &[&str]) -> Step {
        let step = Step::new(name, "docker").arguments(["compose", "--project-name", &self.project]);
        let step = step.arguments(files).arguments(arguments);
        PORTS.iter().zip(&self.ports).fold(step, |step, (name, port)| step.variable(name, &port.to_string()))
    }
}
