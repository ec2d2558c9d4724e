//! A private server, whatever runs it: a native program or a container. Both keep their data and their ports while they are down.

use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::container::{Container, Recipe};
use crate::error::Error;
use crate::process::{Process, tail, until_ready};

/// What runs a private server.
pub(crate) enum Runner {
    /// A native program.
    Native(Native),
    /// A container.
    Container(Box<Container>),
}

/// A native program with a temporary folder.
pub(crate) struct Native {
    // The processes first: what they write must not outlive their folder.
    process: Option<Process>,
    /// What the server needs beside it.
    _beside: Option<Process>,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    folder: TempDir,
}

impl Native {
    /// A program that was not started yet.
    pub(crate) fn new(command: Vec<String>, folder: TempDir) -> Self {
        Self {
            process: None,
            _beside: None,
            command,
            environment: Vec::new(),
            folder,
        }
    }

    /// Gives it an environment, and a process that lives as long.
    pub(crate) fn with(self, environment: Vec<(String, String)>, beside: Option<Process>) -> Self {
        Self {
            environment,
            _beside: beside,
            ..self
        }
    }

    /// Its environment, for tools that talk to it.
    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    fn start(&mut self) -> Result<(), Error> {
        self.process = None;
        let log = self.folder.path().join("server.log");
        self.process = Some(Process::start(&self.command, &self.environment, &log)?);
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        self.process
            .iter()
            .for_each(|process| process.signal(signal));
    }
}

impl Runner {
    /// A container of `recipe`, started.
    ///
    /// # Errors
    /// As for [`Container::start_new`].
    pub(crate) async fn container(recipe: &Recipe<'_>) -> Result<Self, Error> {
        Ok(Self::Container(Box::new(
            Container::start_new(recipe).await?,
        )))
    }

    /// Starts the server on the data it has, and waits until `ready` says yes.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the end of its log when it ends, or is not ready within `seconds`; then it does not run either.
    pub(crate) async fn start<F: Future<Output = bool>>(
        &mut self,
        server: &'static str,
        seconds: u64,
        ready: impl Fn() -> F,
    ) -> Result<(), Error> {
        match self {
            Self::Native(native) => native.start()?,
            Self::Container(container) => container.start().await?,
        }
        let outcome =
            until_ready(server, seconds, || self.is_running(), || self.log(), ready).await;
        if outcome.is_err() {
            self.kill();
        }
        outcome
    }

    /// Ends it as an operator would, and with `SIGKILL` what has not ended by then.
    pub(crate) fn stop(&mut self, time: Duration) {
        match self {
            Self::Native(native) => {
                if let Some(process) = native.process.take() {
                    process.stop(time);
                }
            }
            Self::Container(container) => container.stop(time),
        }
    }

    /// Ends it with `SIGKILL`.
    pub(crate) fn kill(&mut self) {
        match self {
            Self::Native(native) => native.process = None,
            Self::Container(container) => container.kill(),
        }
    }

    /// Stops it in its tracks: connections stay open and nothing answers.
    pub(crate) fn pause(&self) {
        match self {
            Self::Native(native) => native.signal(Signal::SIGSTOP),
            Self::Container(container) => container.pause(),
        }
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        match self {
            Self::Native(native) => native.signal(Signal::SIGCONT),
            Self::Container(container) => container.resume(),
        }
    }

    async fn is_running(&self) -> bool {
        match self {
            Self::Native(native) => native.process.as_ref().is_some_and(Process::is_running),
            Self::Container(container) => container.is_running().await,
        }
    }

    fn log(&self) -> String {
        match self {
            Self::Native(native) => tail(&native.folder.path().join("server.log")),
            Self::Container(container) => container.log(),
        }
    }
}
