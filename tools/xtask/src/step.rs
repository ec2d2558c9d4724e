//! One command of a run: named, timed, and ended with the run.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use services::output::say;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::error::Error;

/// A command to run.
pub(crate) struct Step {
    name: String,
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(String, String)>,
}

impl Step {
    /// Names a command.
    pub(crate) fn new(name: &str, program: impl Into<OsString>) -> Self {
        Self {
            name: name.to_owned(),
            program: program.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// A cargo command, with the cargo that runs us.
    pub(crate) fn cargo(name: &str) -> Self {
        Self::new(name, option_env!("CARGO").unwrap_or("cargo"))
    }

    /// Lets everything else on this machine go first. (Before there are arguments.)
    pub(crate) fn patiently(mut self) -> Self {
        let program = std::mem::replace(&mut self.program, "nice".into());
        self.arguments = vec!["-n".into(), "19".into(), program];
        self
    }

    /// Adds arguments.
    pub(crate) fn arguments(
        mut self,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it to its end and prints how long it took.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let start = self.begin()?;
        let status = self.spawn(Stdio::inherit())?.wait().await?;
        self.end(start, status)
    }

    /// As [`Step::run`]; what it prints comes in whole lines, so that several may run at once.
    pub(crate) async fn run_by_lines(self) -> Result<(), Error> {
        let start = self.begin()?;
        let mut running = self.spawn(Stdio::piped())?;
        if let Some(output) = running.stdout.take() {
            let mut lines = BufReader::new(output).lines();
            while let Some(line) = lines.next_line().await? {
                say(line)?;
            }
        }
        let status = running.wait().await?;
        self.end(start, status)
    }

    /// Runs it to its end and answers what it printed.
    pub(crate) async fn output(self) -> Result<String, Error> {
        let start = self.begin()?;
        let ended = self.spawn(Stdio::piped())?.wait_with_output().await?;
        self.end(start, ended.status)?;
        Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
    }

    fn begin(&self) -> Result<Instant, Error> {
        say(format_args!("\n── {} ──", self.name))?;
        Ok(Instant::now())
    }

    fn spawn(&self, output: Stdio) -> Result<Child, Error> {
        let mut command = Command::new(&self.program);
        for name in package_variables() {
            command.env_remove(name);
        }
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command
            .args(&self.arguments)
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(output)
            .kill_on_drop(true);
        command
            .spawn()
            .map_err(|error| format!("{}: {error}", self.name).into())
    }

    fn end(&self, start: Instant, status: ExitStatus) -> Result<(), Error> {
        let seconds = start.elapsed().as_secs_f64();
        if !status.success() {
            return Err(format!(
                "{} failed after {seconds:.1} s ({status}); its output is above",
                self.name
            )
            .into());
        }
        Ok(say(format_args!("── {}: {seconds:.1} s ──", self.name))?)
    }
}

/// What `cargo run` told this program of its own package. A cargo below it would pass that on, and build scripts that watch
/// these variables would run again, each time, with everything that stands on them.
fn package_variables() -> impl Iterator<Item = OsString> {
    const PREFIXES: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"];
    std::env::vars_os().map(|(name, _)| name).filter(|name| {
        name.to_str()
            .is_some_and(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_does_not_learn_of_our_own_package() {
        assert!(
            package_variables().next().is_some(),
            "whoever runs tests says whose they are"
        );
        let nothing = "env | grep -E '^CARGO_(PKG|MANIFEST|BIN)_' && exit 1 || exit 0";
        Step::new("variables", "sh")
            .arguments(["-c", nothing])
            .run()
            .await
            .unwrap();
    }
}
