//! A private Redis.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::container::{self, Recipe};
use crate::error::Error;
use crate::images;
use crate::ports::free_port;
use crate::process::{binary, install_hint};
use crate::runner::{Native, Runner};

const READY_SECONDS: u64 = 60;

/// Every change is in a file before it is answered for, so that a kill loses nothing.
const KEEPING: [&str; 4] = ["--save", "", "--appendonly", "yes"];

/// A Redis server of the caller's own, on a port of its own. It keeps its data over [`Redis::kill`] and [`Redis::start`].
pub struct Redis {
    url: String,
    port: u16,
    runner: Runner,
}

/// Starts a private Redis.
///
/// # Errors
/// [`Error::Missing`] says what to install; else why it did not start.
pub async fn redis() -> Result<Redis, Error> {
    redis_with(&[]).await
}

/// Starts a private Redis with more arguments.
///
/// # Errors
/// As [`redis`].
pub async fn redis_with(more: &[&'static str]) -> Result<Redis, Error> {
    let arguments = [KEEPING.as_slice(), more].concat();
    let mut result = start_new(&arguments).await;
    for _ in 0..3 {
        // Somebody else may have taken the port.
        if result.is_ok() || matches!(result, Err(Error::Missing { .. })) {
            break;
        }
        result = start_new(&arguments).await;
    }
    result
}

async fn start_new(arguments: &[&'static str]) -> Result<Redis, Error> {
    let port = free_port()?;
    let runner = match binary(&["redis-server"]).filter(|_| !container::preferred()) {
        Some(program) => native(&program, port, arguments)?,
        None if container::available() => in_container(port, arguments).await?,
        None => {
            return Err(Error::Missing {
                server: "Redis",
                hint: install_hint("redis"),
            });
        }
    };
    let mut redis = Redis {
        url: format!("redis://127.0.0.1:{port}"),
        port,
        runner,
    };
    redis.start().await?;
    Ok(redis)
}

fn native(program: &Path, port: u16, arguments: &[&str]) -> Result<Runner, Error> {
    let folder = tempfile::Builder::new()
        .prefix("hmac-mesh-redis-")
        .tempdir()
        .map_err(Error::io("temporary folder"))?;
    let mut command = vec![program.display().to_string()];
    let (port, path) = (port.to_string(), folder.path().display().to_string());
    command.extend(["--port", &port, "--bind", "127.0.0.1", "--dir", &path].map(str::to_owned));
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    Ok(Runner::Native(Native::new(command, folder)))
}

async fn in_container(port: u16, arguments: &[&'static str]) -> Result<Runner, Error> {
    let recipe = Recipe {
        server: "redis",
        image: images::REDIS,
        ports: &[(port, 6379)],
        variables: &[],
        arguments: &[&["redis-server"], arguments].concat(),
    };
    Runner::container(&recipe).await
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
        let port = self.port;
        self.runner
            .start("Redis", READY_SECONDS, || ping(port))
            .await
    }

    /// Ends it as an operator would.
    pub fn stop(&mut self) {
        self.runner.stop(Duration::from_secs(10));
    }

    /// Ends it with `SIGKILL`.
    pub fn kill(&mut self) {
        self.runner.kill();
    }

    /// Stops it in its tracks: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.runner.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.runner.resume();
    }
}

async fn ping(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else {
        return false;
    };
    let mut answer = [0; 7];
    stream.write_all(b"PING\r\n").await.is_ok()
        && stream.read_exact(&mut answer).await.is_ok()
        && answer == *b"+PONG\r\n"
}
