//! Servers in containers, by testcontainers: where no native binary is found, or where containers are asked for.
//!
//! Their ports are published on 127.0.0.1 and stay the same over [`Container::kill`] and [`Container::start`], as their data does.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use testcontainers::core::IntoContainerPort;
use testcontainers::core::error::ClientError;
use testcontainers::runners::AsyncRunner;
use testcontainers::{
    ContainerAsync, ContainerRequest, GenericImage, ImageExt, TestcontainersError,
};
use tokio::runtime::{Builder, Runtime};

use crate::environment;
use crate::error::Error;

/// What is waited for an image that is not here yet.
const PULL: Duration = Duration::from_secs(600);

/// How many files a server may open. An engine's own bound may be a thousand million, and Erlang closes each of them before it starts
/// anything.
const FILES: i64 = 8192;

/// A line says that the container is gone; the end of input that this process is. Twice, because the engine may still be making it.
const REAPER: &str = r#"
trap '' INT TERM HUP
read -r line || for pause in 0 3; do sleep $pause; docker rm --force --volumes "$1"; done
"#;

/// Outlives its callers' runtimes: a container is used by more than the test that started it, and is dropped after one.
static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
});

/// Tells whether containers are asked for although there may be native binaries.
pub(crate) fn preferred() -> bool {
    environment::variable("HMAC_MESH_CONTAINERS").as_deref() == Some("1")
}

/// Tells whether a container engine answers.
pub(crate) fn available() -> bool {
    let info = Command::new("docker")
        .arg("info")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    info.is_ok_and(|status| status.success())
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

    fn request(&self, name: &str) -> ContainerRequest<GenericImage> {
        let (image, tag) = self.image.split_once(':').unwrap_or((self.image, "latest"));
        let mut request = GenericImage::new(image, tag)
            .with_container_name(name)
            .with_cmd(self.arguments.iter().copied())
            .with_ulimit("nofile", FILES, Some(FILES))
            .with_host_config_modifier(|host| {
                // testcontainers knows the ports only, and would publish them to the network.
                let bindings = host
                    .port_bindings
                    .iter_mut()
                    .flat_map(|ports| ports.values_mut());
                for binding in bindings.flatten().flatten() {
                    binding.host_ip = Some("127.0.0.1".to_owned());
                }
            });
        for (ours, theirs) in self.ports {
            request = request.with_mapped_port(*ours, theirs.tcp());
        }
        for (name, value) in self.variables {
            request = request.with_env_var(*name, *value);
        }
        request
    }
}

/// A container that is removed with its data when this is dropped, or when this process is gone.
pub(crate) struct Container {
    name: String,
    /// Taken by the drop only.
    inner: Option<Arc<ContainerAsync<GenericImage>>>,
    reaper: Reaper,
}

impl Container {
    /// Makes a container and starts it; pulls the image where it is not here.
    ///
    /// # Errors
    /// [`Error::Unexpected`] with one line when the image cannot be had; [`Error::Engine`] when the engine refuses.
    pub(crate) async fn start_new(recipe: &Recipe<'_>) -> Result<Self, Error> {
        let name = recipe.name();
        // First, so that nothing is left when this process ends meanwhile.
        let reaper = Reaper::start(&name)?;
        let start = spawn(recipe.request(&name).start())?;
        let late = |_| {
            Error::Unexpected(format!(
                "pulling {}: not done within {} s",
                recipe.image,
                PULL.as_secs()
            ))
        };
        let started = tokio::time::timeout(PULL, start).await.map_err(late)?;
        let inner =
            started.map_err(|error| Error::Unexpected(format!("starting {name}: {error}")))?;
        match inner {
            Ok(inner) => Ok(Self {
                name,
                inner: Some(Arc::new(inner)),
                reaper,
            }),
            Err(TestcontainersError::Client(ClientError::PullImage { descriptor, err })) => {
                Err(Error::Unexpected(format!(
                    "the image {descriptor} is not here and cannot be pulled: {err}"
                )))
            }
            Err(source) => Err(Error::engine(format!("starting container {name}"), source)),
        }
    }

    /// Starts it again on the data and ports it has. Does nothing while it runs.
    ///
    /// # Errors
    /// [`Error::Engine`] when the engine refuses.
    pub(crate) async fn start(&self) -> Result<(), Error> {
        if self.is_running().await {
            return Ok(());
        }
        self.ask(|inner| async move { inner.start().await }).await
    }

    /// Tells whether its server runs.
    pub(crate) async fn is_running(&self) -> bool {
        let Some(inner) = self.inner.clone() else {
            return false;
        };
        let Ok(answer) = spawn(async move { inner.is_running().await }) else {
            return false;
        };
        matches!(answer.await, Ok(Ok(true)))
    }

    /// Asks its server to end, and kills it when it has not by then.
    pub(crate) fn stop(&self, time: Duration) {
        let seconds = i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
        self.tell(move |inner| async move { inner.stop_with_timeout(Some(seconds)).await });
    }

    /// Ends its server with `SIGKILL`; does nothing when it has ended.
    pub(crate) fn kill(&self) {
        // testcontainers has no such thing: its stop asks first.
        engine(&["kill", "--signal", "KILL", &self.name]);
    }

    /// Freezes it: connections stay open and nothing answers.
    pub(crate) fn pause(&self) {
        self.tell(|inner| async move { inner.pause().await });
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.tell(|inner| async move { inner.unpause().await });
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

    async fn ask<F>(
        &self,
        act: impl FnOnce(Arc<ContainerAsync<GenericImage>>) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<(), TestcontainersError>> + Send + 'static,
    {
        let Some(inner) = self.inner.clone() else {
            return Ok(());
        };
        let what = || format!("container {}", self.name);
        let answer = spawn(act(inner))?.await;
        let answer = answer.map_err(|error| Error::Unexpected(format!("{}: {error}", what())))?;
        answer.map_err(|source| Error::engine(what(), source))
    }

    /// Asks and waits; a server that is gone already needs nothing.
    fn tell<F>(&self, act: impl FnOnce(Arc<ContainerAsync<GenericImage>>) -> F)
    where
        F: Future<Output = Result<(), TestcontainersError>> + Send + 'static,
    {
        let Some(inner) = self.inner.clone() else {
            return;
        };
        let _ = wait(act(inner));
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take().and_then(Arc::into_inner) else {
            return;
        };
        if let Some(Ok(())) = wait(inner.rm()) {
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

/// Runs a future on the runtime of this module.
fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> Result<tokio::task::JoinHandle<T>, Error> {
    match &*RUNTIME {
        Ok(runtime) => Ok(runtime.spawn(future)),
        Err(error) => Err(Error::Unexpected(format!(
            "a runtime for containers: {error}"
        ))),
    }
}

/// Runs a future there and waits for it, also where the caller has a runtime of its own.
fn wait<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // Whoever asked has gone when nobody receives.
    spawn(async move { sender.send(future.await).ok() }).ok()?;
    receiver.recv().ok()
}

/// Runs the engine's own program; what it complains about is of no use to anybody.
fn engine(arguments: &[&str]) {
    let _ = Command::new("docker")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
