//! A private Redis.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::container::{self, Container};
use crate::error::Error;
use crate::images;
use crate::ports::free_port;
use crate::process::{Process, binary, install_hint, wait_ready};

const READY_SECONDS: u64 = 20;

/// A Redis server of the caller's own, on a port of its own. It keeps its data over [`Redis::kill`] and [`Redis::start`].
pub struct Redis {
    url: String,
    port: u16,
    command: Vec<String>,
    folder: TempDir,
    process: Option<Process>,
    _container: Option<Container>,
}

/// Starts a private Redis.
///
/// # Errors
/// [`Error::Missing`] says what to install; else why it did not start.
pub async fn redis() -> Result<Redis, Error> {
    let mut result = start_new().await;
    for _ in 0..3 {
        // Somebody else may have taken the port.
        if result.is_ok() || matches!(result, Err(Error::Missing { .. })) {
            break;
        }
        result = start_new().await;
    }
    result
}

async fn start_new() -> Result<Redis, Error> {
    let folder = tempfile::Builder::new()
        .prefix("hmac-mesh-redis-")
        .tempdir()
        .map_err(Error::io("temporary folder"))?;
    let port = free_port()?;
    let native = binary(&["redis-server"]).filter(|_| !container::preferred());
    let (command, container) = match native {
        Some(program) => (native_command(&program, port, &folder), None),
        None if container::available() => {
            let name = format!("hmac-mesh-redis-{}-{port}", std::process::id());
            let command = container::command(&name, images::REDIS, &[(port, 6379)], &[], &["redis-server"]);
            (command, Some(Container { name }))
        }
        None => return Err(Error::Missing { server: "Redis", hint: install_hint("redis") }),
    };
    let url = format!("redis://127.0.0.1:{port}");
    let mut redis = Redis { url, port, command, folder, process: None, _container: container };
    redis.start().await?;
    Ok(redis)
}

fn native_command(program: &Path, port: u16, folder: &TempDir) -> Vec<String> {
    let mut command = vec![program.display().to_string()];
    let (port, folder) = (port.to_string(), folder.path().display().to_string());
    let options =
        ["--port", &port, "--bind", "127.0.0.1", "--dir", &folder, "--save", "", "--appendonly", "yes"];
    command.extend(options.map(str::to_owned));
    command
}

impl Redis {
    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Starts it again on the data it has.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the end of its log.
    pub async fn start(&mut self) -> Result<(), Error> {
        self.process = None;
        let log = self.folder.path().join("server.log");
        let process = Process::start(&self.command, &[], &log)?;
        let port = self.port;
        wait_ready("Redis", &process, &log, READY_SECONDS, || ping(port)).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it as an operator would.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal(Signal::SIGTERM);
            process.wait(Duration::from_secs(10));
        }
    }

    /// Ends it with `SIGKILL`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it in its tracks: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::SIGSTOP));
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::SIGCONT));
    }
}

async fn ping(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut answer = [0; 7];
    stream.write_all(b"PING\r\n").await.is_ok()
        && stream.read_exact(&mut answer).await.is_ok()
        && answer == *b"+PONG\r\n"
}
