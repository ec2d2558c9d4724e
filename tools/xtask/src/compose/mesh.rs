//! One mesh in containers.

use services::http::{self, Url};
use services::output::say;
use tokio::process::Command;

use super::keys::Keys;
use crate::error::Error;
use crate::step::Step;

/// The files of a cluster.
pub(super) const CLUSTER: [&str; 4] = ["--file", "compose.yaml", "--file", "compose.cluster.yaml"];

const PORTS: [&str; 5] = [
    "AUTHORITY_PORT",
    "CONSUMER_PORT",
    "LEPTOS_AXUM_PORT",
    "LEPTOS_ACTIX_PORT",
    "RABBITMQ_PORT",
];

/// The ports of [`PORTS`] behind which there is a dashboard.
const DASHBOARDS: [usize; 2] = [2, 3];

/// The stories, with what is to be said to their test runner behind it.
const RUN: [&str; 6] = ["--profile", "test", "run", "--rm", "--no-TTY", "e2e"];

/// Stories of a mesh of one broker; those that need containers are ignored elsewhere.
const STORIES: [&str; 5] = [
    "--include-ignored",
    "--skip",
    "cluster::",
    "--skip",
    "earlier_version::",
];

/// Each question starts a program in a container: asked every few seconds in every container, they take more than the stories do.
const HEALTH_INTERVAL: &str = "20s";

/// A mesh of a name and on ports of its own.
pub(super) struct Mesh {
    number: usize,
    project: String,
    profile: &'static str,
    ports: Vec<u16>,
    /// Where its peers ask for tokens.
    keys: Option<Keys>,
}

impl Mesh {
    /// Names one; `profile` is cargo's. Its peers may ask for tokens.
    pub(super) fn new(number: usize, profile: &'static str, asks: bool) -> Result<Self, Error> {
        let ports: Result<Vec<u16>, _> = PORTS.iter().map(|_| services::free_port()).collect();
        let project = format!("hmac-mesh-{}-{number}", std::process::id());
        Ok(Self {
            number,
            project,
            profile,
            ports: ports?,
            keys: asks.then(Keys::make).transpose()?,
        })
    }

    /// Builds its images, those of the stories included.
    pub(super) async fn build(&self, files: &[&str]) -> Result<(), Error> {
        self.step("images", files, &["--profile", "test", "build", "--quiet"])
            .run()
            .await
    }

    /// Starts it, and waits until all of it is healthy.
    pub(super) async fn up(&self, files: &[&str]) -> Result<(), Error> {
        self.step("up", files, &["up", "--detach", "--wait", "--quiet-pull"])
            .run()
            .await
    }

    /// Both dashboards answer: with their bundle, or by asking who comes.
    pub(super) async fn dashboards(&self) -> Result<(), Error> {
        for dashboard in DASHBOARDS {
            let url = Url::parse(&format!("http://127.0.0.1:{}/", self.ports[dashboard]))?;
            let (status, page) = http::exchange("GET", url, None).await?;
            let name = PORTS[dashboard].to_lowercase();
            let is_right = match self.keys {
                Some(_) => status == 401,
                None => status == 200 && page.contains("/pkg/start-"),
            };
            if !is_right {
                return Err(format!(
                    "the dashboard of {name} answers {status}, or without its bundle"
                )
                .into());
            }
        }
        let how = match self.keys {
            Some(_) => "by asking for a token",
            None => "with their bundle",
        };
        say(format_args!(
            "── mesh {}: both dashboards answer, {how} ──",
            self.number
        ))?;
        Ok(())
    }

    /// Runs stories against it; `arguments` are the test runner's.
    pub(super) async fn stories(&self, files: &[&str], arguments: &[String]) -> Result<(), Error> {
        self.step("stories", files, &RUN)
            .arguments(arguments)
            .run_by_lines()
            .await
    }

    /// The names of the stories that are about a mesh of one broker, of those whose name contains one of `only` if there is any.
    pub(super) async fn list(&self, only: &[String]) -> Result<Vec<String>, Error> {
        let list = self
            .step("list", &[], &RUN)
            .arguments(["--list", "--format", "terse"])
            .arguments(STORIES);
        let listed = list.arguments(only).output().await?;
        let names = listed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"));
        let names: Vec<String> = names.map(str::to_owned).collect();
        if names.is_empty() {
            Err("no such story is about a mesh in containers".into())
        } else {
            Ok(names)
        }
    }

    /// Removes all of it, and says so when something is left.
    pub(super) async fn down(&self) -> Result<(), Error> {
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
        let down = || self.step("down", &CLUSTER, &down).run();
        // A story that was interrupted goes on in its container, and may make another anew while this stops it. It is gone after that.
        if down().await.is_err() {
            down().await?;
        }
        let label = format!("label=com.docker.compose.project={}", self.project);
        for list in [&["ps", "--all"][..], &["volume", "ls"], &["network", "ls"]] {
            let listed = Command::new("docker")
                .args(list)
                .args(["--quiet", "--filter", &label])
                .output()
                .await?;
            if !listed.stdout.is_empty() {
                let left = String::from_utf8_lossy(&listed.stdout).into_owned();
                return Err(format!("docker {} lists what is left: {left}", list.join(" ")).into());
            }
        }
        Ok(())
    }

    /// A `docker compose` command, with the files' own arguments before the command's.
    pub(super) fn step(&self, name: &str, files: &[&str], arguments: &[&str]) -> Step {
        let step = Step::new(&format!("mesh {}: {name}", self.number), "docker");
        let step = step
            .arguments(["compose", "--project-name", &self.project])
            .arguments(files);
        let step = step.arguments(arguments).variable("PROFILE", self.profile);
        let step = step.variable("HEALTH_INTERVAL", HEALTH_INTERVAL);
        // They have no default, and are of no use beyond this run.
        let step = ["OPERATOR_PASSWORD", "ERLANG_COOKIE"]
            .iter()
            .fold(step, |step, name| step.variable(name, &self.project));
        let step = self.keys.iter().fold(step, |step, keys| {
            step.variable("MANAGEMENT_AUTH", "tokens")
                .variable("MANAGEMENT_BEARER", "true")
                .variable("GATEWAY_KEYS", &keys.set().to_string_lossy())
                .variable("GATEWAY_SIGNER_FILE", &keys.signing().to_string_lossy())
        });
        PORTS
            .iter()
            .zip(&self.ports)
            .fold(step, |step, (name, port)| {
                step.variable(name, &port.to_string())
            })
    }
}
