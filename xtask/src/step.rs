//! One command of a run: named, timed, and ended with the run.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Instant;

use tokio::process::Command;

use crate::Error;

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
        Self { name: name.to_owned(), program: program.into(), arguments: Vec::new(), variables: Vec::new() }
    }

    /// A cargo command, with the cargo that runs us.
    pub(crate) fn cargo(name: &str) -> Self {
        Self::new(name, option_env!("CARGO").unwrap_or("cargo"))
    }

    /// Adds arguments.
    pub(crate) fn arguments(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
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
        println!("\n── {} ──", self.name);
        let start = Instant::now();
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.variables).stdin(Stdio::null()).kill_on_drop(true);
        let status = command.status().await.map_err(|error| format!("{}: {error}", self.name))?;
        let seconds = start.elapsed().as_secs_f64();
        if !status.success() {
            return Err(
                format!("{} failed after {seconds:.1} s ({status}); its output is above", self.name).into()
            );
        }
        println!("── {}: {seconds:.1} s ──", self.name);
        Ok(())
    }
}
