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
        for name in package_variables() {
            command.env_remove(name);
        }
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

/// What `cargo run` told this program of its own package. A cargo below it would pass that on, and build scripts that watch
/// these variables would run again, each time, with everything that stands on them.
fn package_variables() -> impl Iterator<Item = OsString> {
    const PREFIXES: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"];
    std::env::vars_os().map(|(name, _)| name).filter(|name| {
        name.to_str().is_some_and(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_does_not_learn_of_our_own_package() {
        assert!(package_variables().next().is_some(), "whoever runs tests says whose they are");
        let nothing = "env | grep -E '^CARGO_(PKG|MANIFEST|BIN)_' && exit 1 || exit 0";
        Step::new("variables", "sh").arguments(["-c", nothing]).run().await.unwrap();
    }
}
