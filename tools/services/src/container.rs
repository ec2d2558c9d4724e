//! Servers in containers, by the engine's own program: where no native binary is found, or where containers are asked for.
//!
//! Their ports are published on 127.0.0.1 and stay the same over [`Container::kill`] and [`Container::start`], as their data does.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::environment;
use crate::error::Error;

/// What is waited for an image that is not here yet.
const PULL: Duration = Duration::from_secs(600);

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
    tell(&["info"])
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

    /// What makes and starts it; the engine pulls the image where it is not here.
    fn run(&self, name: &str) -> Vec<String> {
        let mut arguments = ["run", "--detach", "--name", name, "--ulimit", FILES]
            .map(str::to_owned)
            .to_vec();
        for (ours, theirs) in self.ports {
            arguments.extend(["--publish".into(), format!("127.0.0.1:{ours}:{theirs}")]);
        }
        for (name, value) in self.variables {
            arguments.extend(["--env".into(), format!("{name}={value}")]);
        }
        arguments.push(self.image.into());
        arguments.extend(self.arguments.iter().map(|&argument| argument.to_owned()));
        arguments
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
    /// [`Error::Unexpected`] with what the engine says when the image cannot be had, or when it refuses.
    pub(crate) async fn start_new(recipe: &Recipe<'_>) -> Result<Self, Error> {
        let name = recipe.name();
        // First, so that nothing is left when this process ends meanwhile.
        let reaper = Reaper::start(&name)?;
        let start = ask(recipe.run(&name));
        let late = |_| {
            Error::Unexpected(format!(
                "pulling {}: not done within {} s",
                recipe.image,
                PULL.as_secs()
            ))
        };
        tokio::time::timeout(PULL, start).await.map_err(late)??;
        Ok(Self { name, reaper })
    }

    /// Starts it again on the data and ports it has. Does nothing while it runs.
    ///
    /// # Errors
    /// [`Error::Unexpected`] with what the engine says when it refuses.
    pub(crate) async fn start(&self) -> Result<(), Error> {
        ask(["start", &self.name]).await.map(drop)
    }

    /// Tells whether its server runs.
    pub(crate) async fn is_running(&self) -> bool {
        let question = ["inspect", "--format", "{{.State.Running}}", &self.name];
        ask(question).await.is_ok_and(|answer| answer == "true")
    }

    /// Asks its server to end, and kills it when it has not by then.
    pub(crate) fn stop(&self, time: Duration) {
        tell(&["stop", "--time", &time.as_secs().to_string(), &self.name]);
    }

    /// Ends its server with `SIGKILL`; does nothing when it has ended.
    pub(crate) fn kill(&self) {
        tell(&["kill", "--signal", "KILL", &self.name]);
    }

    /// Freezes it: connections stay open and nothing answers.
    pub(crate) fn pause(&self) {
        tell(&["pause", &self.name]);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        tell(&["unpause", &self.name]);
    }

    /// A tool that is run beside its server.
    pub(crate) fn tool(&self, program: &str) -> Command {
        let mut command = Command::new("docker");
        command.args(["exec", &self.name, program]);
        command
    }

    /// The last lines its server wrote.
    pub(crate) fn log(&self) -> String {
        let output = Command::new("docker")
            .args(["logs", "--tail", "12", &self.name])
            .output();
        let output = output
            .map(|output| [output.stdout, output.stderr].concat())
            .unwrap_or_default();
        String::from_utf8_lossy(&output)
            .lines()
            .collect::<Vec<_>>()
            .join(" | ")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if tell(&["rm", "--force", "--volumes", &self.name]) {
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

/// Runs the engine's program and answers the line that it prints.
async fn ask(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String, Error> {
    let mut program = tokio::process::Command::new("docker");
    program
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = program
        .output()
        .await
        .map_err(Error::io("running docker"))?;
    if !output.status.success() {
        let refusal = String::from_utf8_lossy(&output.stderr)
            .trim()
            .replace('\n', " | ");
        return Err(Error::Unexpected(format!(
            "the container engine: {refusal}"
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs it and tells whether it did; a server that is gone already needs nothing.
fn tell(arguments: &[&str]) -> bool {
    let status = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_published_on_this_machine_only() {
        let recipe = Recipe {
            server: "redis",
            image: crate::images::REDIS,
            ports: &[(40_001, 6379)],
            variables: &[("A", "b c")],
            arguments: &["redis-server", "--save", ""],
        };
        assert_eq!(
            recipe.run("name").join(" "),
            "run --detach --name name --ulimit nofile=8192:8192 --publish 127.0.0.1:40001:6379 --env A=b c redis:7 redis-server --save "
        );
    }
}
