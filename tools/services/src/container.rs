//! Servers in containers, by the `docker` program: where no native binary is found, or where containers are asked for.
//!
//! Their ports are published on 127.0.0.1 and stay the same over [`Container::kill`] and [`Container::start`], as their data does.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::environment;
use crate::error::Error;

/// What is waited for an image that is not here yet.
const PULL: Duration = Duration::from_secs(600);
/// What is waited for anything else that the engine is asked.
const ANSWER: Duration = Duration::from_secs(60);

/// How many files a server may open. An engine's own bound may be a thousand million, and Erlang closes each of them before it starts
/// anything.
const FILES: &str = "nofile=8192:8192";

/// A line says that the container is gone; the end of input that this process is. Twice, because the engine may still be making it.
const REAPER: &str = r#"
trap '' INT TERM HUP
read -r line || for pause in 0 3; do sleep $pause; docker rm --force --volumes "$1"; done
"#;

/// Tells whether containers are asked for although there may be native binaries.
pub(crate) fn preferred() -> bool {
    environment::variable("HMAC_MESH_CONTAINERS").as_deref() == Some("1")
}

/// Tells whether a container engine answers.
pub(crate) fn available() -> bool {
    quietly(&["info"])
}

/// A server in a container: what an image is given.
pub(crate) struct Recipe<'a> {
    /// Its part of the container's name.
    pub(crate) server: &'static str,
    /// One of [`crate::images`].
    pub(crate) image: &'static str,
    /// Ours on 127.0.0.1, and the container's.
    pub(crate) ports: &'a [(u16, u16)],
    /// Its environment.
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// Its command; empty for the image's own.
    pub(crate) arguments: &'a [&'a str],
}

impl Recipe<'_> {
    fn name(&self) -> String {
        let port = self.ports.first().map_or(0, |(ours, _)| *ours);
        format!("hmac-mesh-{}-{}-{port}", self.server, std::process::id())
    }

    fn run(&self, name: &str) -> Command {
        let mut run = docker(&["run", "--detach", "--pull", "never"]);
        run.args(["--name", name, "--ulimit", FILES]);
        for (ours, theirs) in self.ports {
            run.arg("--publish")
                .arg(format!("127.0.0.1:{ours}:{theirs}"));
        }
        for (name, value) in self.variables {
            // By its name only: values are passwords, and everybody can read what a program was started with.
            run.args(["--env", name]).env(name, value);
        }
        run.arg(self.image).args(self.arguments);
        run
    }
}

/// A container that is removed with its data when this is dropped, or when this process is gone.
pub(crate) struct Container {
    name: String,
    reaper: Reaper,
}

impl Container {
    /// Makes a container and starts it; pulls the image where it is not here.
    ///
    /// # Errors
    /// [`Error::Engine`] when the image cannot be had, or the engine refuses.
    pub(crate) async fn start_new(recipe: &Recipe<'_>) -> Result<Self, Error> {
        let image = recipe.image;
        if answer(docker(&["image", "inspect", image]), ANSWER)
            .await
            .is_err()
        {
            let what = || format!("the image {image} is not here and cannot be pulled");
            answer(docker(&["pull", "--quiet", image]), PULL)
                .await
                .map_err(|source| Error::engine(what(), source))?;
        }
        let name = recipe.name();
        // First, so that nothing is left when this process ends meanwhile.
        let reaper = Reaper::start(&name)?;
        let container = Self { name, reaper };
        container.ask(recipe.run(&container.name)).await?;
        Ok(container)
    }

    /// Starts it again on the data and ports it has. Does nothing while it runs.
    ///
    /// # Errors
    /// [`Error::Engine`] when the engine refuses.
    pub(crate) async fn start(&self) -> Result<(), Error> {
        self.ask(docker(&["start", &self.name])).await
    }

    /// Tells whether its server runs.
    pub(crate) async fn is_running(&self) -> bool {
        let inspect = docker(&["inspect", "--format", "{{.State.Running}}", &self.name]);
        let running = answer(inspect, ANSWER).await;
        running.is_ok_and(|running| running.trim() == "true")
    }

    /// Asks its server to end, and kills it when it has not by then.
    pub(crate) fn stop(&self, time: Duration) {
        quietly(&["stop", "-t", &time.as_secs().to_string(), &self.name]);
    }

    /// Ends its server with `SIGKILL`; does nothing when it has ended.
    pub(crate) fn kill(&self) {
        quietly(&["kill", "--signal", "KILL", &self.name]);
    }

    /// Freezes it: connections stay open and nothing answers.
    pub(crate) fn pause(&self) {
        quietly(&["pause", &self.name]);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        quietly(&["unpause", &self.name]);
    }

    /// A tool that is run beside its server.
    pub(crate) fn tool(&self, program: &str) -> Command {
        docker(&["exec", &self.name, program])
    }

    /// The last lines its server wrote.
    pub(crate) fn log(&self) -> String {
        let output = docker(&["logs", "--tail", "12", &self.name]).output();
        let output = output
            .map(|output| [output.stdout, output.stderr].concat())
            .unwrap_or_default();
        String::from_utf8_lossy(&output)
            .lines()
            .collect::<Vec<_>>()
            .join(" | ")
    }

    async fn ask(&self, command: Command) -> Result<(), Error> {
        let answer = answer(command, ANSWER).await;
        answer
            .map(drop)
            .map_err(|source| Error::engine(format!("container {}", self.name), source))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if quietly(&["rm", "--force", "--volumes", &self.name]) {
            self.reaper.dismiss();
        }
    }
}

/// Removes a container when this process is gone, also after a `kill -9`.
struct Reaper {
    shell: Child,
    input: Option<ChildStdin>,
}

impl Reaper {
    fn start(name: &str) -> Result<Self, Error> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", REAPER, "reaper", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Error::io(format!("starting the reaper of {name}")))?;
        let input = shell.stdin.take();
        Ok(Self { shell, input })
    }

    /// There is nothing left to remove.
    fn dismiss(&mut self) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(b"removed\n");
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.shell.wait();
    }
}

fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What the engine answers within `time`, or what it complains about.
async fn answer(command: Command, time: Duration) -> std::io::Result<String> {
    let mut command = tokio::process::Command::from(command);
    let output = tokio::time::timeout(time, command.kill_on_drop(true).output()).await;
    let output = output.map_err(|_| std::io::ErrorKind::TimedOut)??;
    let [said, complaint] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    match output.status.success() {
        true => Ok(said),
        false => Err(std::io::Error::other(complaint.trim().to_owned())),
    }
}

/// Waits until the engine has done something; what it complains about is of no use to anybody.
fn quietly(arguments: &[&str]) -> bool {
    let mut command = docker(arguments);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
