//! RabbitMQ: one node, a vhost for each caller.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::container::{self, Container};
use crate::environment;
use crate::error::Error;
use crate::images;
use crate::ports::free_port;
use crate::process::{Process, binary, install_hint, wait_ready};

const READY_SECONDS: u64 = 120;

/// A RabbitMQ node, given or private.
pub struct RabbitMq {
    url: String,
    api: String,
    private: Option<Private>,
}

struct Private {
    command: Vec<String>,
    environment: Vec<(String, String)>,
    folder: TempDir,
    node: Option<Process>,
    _port_mapper: Option<Process>,
    _container: Option<Container>,
}

/// The shared node of this run (`HMAC_MESH_RABBITMQ`, `HMAC_MESH_RABBITMQ_API`), else a private one.
///
/// # Errors
/// [`Error::Missing`] says what to install; else why it did not start.
pub async fn rabbitmq() -> Result<RabbitMq, Error> {
    let given =
        environment::variable("HMAC_MESH_RABBITMQ").zip(environment::variable("HMAC_MESH_RABBITMQ_API"));
    match given {
        Some((url, api)) => Ok(RabbitMq { url, api, private: None }),
        None => private_rabbitmq().await,
    }
}

/// A private node, for callers that stop it.
///
/// # Errors
/// As for [`rabbitmq`].
pub async fn private_rabbitmq() -> Result<RabbitMq, Error> {
    let folder = tempfile::Builder::new()
        .prefix("hmac-mesh-rabbitmq-")
        .tempdir()
        .map_err(Error::io("temporary folder"))?;
    let (port, api_port) = (free_port()?, free_port()?);
    // The wrapper in sbin changes the user; the script behind it does not.
    let native = binary(&["rabbitmq-server"]).filter(|_| !container::preferred());
    let private = match native {
        Some(_) => native_node(port, api_port, folder)?,
        None if container::available() => {
            let name = format!("hmac-mesh-rabbitmq-{}-{port}", std::process::id());
            let ports = [(port, 5672), (api_port, 15672)];
            let variables = ["RABBITMQ_DEFAULT_USER=guest", "RABBITMQ_DEFAULT_PASS=guest"];
            let command = container::command(&name, images::RABBITMQ, &ports, &variables, &[]);
            let container = Some(Container { name });
            Private {
                command,
                environment: Vec::new(),
                folder,
                node: None,
                _port_mapper: None,
                _container: container,
            }
        }
        None => return Err(Error::Missing { server: "RabbitMQ", hint: install_hint("rabbitmq") }),
    };
    let mut node = RabbitMq {
        url: format!("amqp://guest:guest@127.0.0.1:{port}"),
        api: format!("http://guest:guest@127.0.0.1:{api_port}"),
        private: Some(private),
    };
    node.start().await?;
    Ok(node)
}

fn native_node(port: u16, api_port: u16, folder: TempDir) -> Result<Private, Error> {
    let script = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    let script = if script.is_file() { Some(script.to_owned()) } else { binary(&["rabbitmq-server"]) };
    let script = script.ok_or(Error::Missing { server: "RabbitMQ", hint: install_hint("rabbitmq") })?;
    let path = folder.path();
    let write = |name: &str, text: String| {
        let file = path.join(name);
        fs::write(&file, text).map_err(Error::io("RabbitMQ's configuration"))?;
        Ok(file.display().to_string())
    };
    let plugins = write("enabled_plugins", "[rabbitmq_management].\n".to_owned())?;
    let configuration = format!(
        "management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {api_port}\nlog.console.level = warning\n\
         vm_memory_high_watermark.relative = 0.6\ndisk_free_limit.absolute = 50MB\n"
    );
    let configuration = write("rabbitmq.conf", configuration)?;
    let (mapper_port, distribution_port) = (free_port()?, free_port()?);
    let at = |name: &str| path.join(name).display().to_string();
    let environment = [
        ("HOME", path.display().to_string()),
        ("RABBITMQ_BASE", path.display().to_string()),
        ("RABBITMQ_NODENAME", "mesh@localhost".to_owned()),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODE_PORT", port.to_string()),
        ("RABBITMQ_DIST_PORT", distribution_port.to_string()),
        ("ERL_EPMD_PORT", mapper_port.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_MNESIA_BASE", at("data")),
        ("RABBITMQ_LOG_BASE", at("log")),
        ("RABBITMQ_LOGS", "-".to_owned()),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", plugins),
        ("RABBITMQ_CONFIG_FILE", configuration),
    ];
    let environment: Vec<_> = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
    // Erlang's port mapper would make itself a daemon that outlives us; one of our own is a child like any other.
    let port_mapper = match binary(&["epmd"]) {
        Some(program) => {
            Some(Process::start(&[program.display().to_string()], &environment, &path.join("epmd.log"))?)
        }
        None => None,
    };
    let command = vec![script.display().to_string()];
    Ok(Private { command, environment, folder, node: None, _port_mapper: port_mapper, _container: None })
}

impl RabbitMq {
    /// The node's URL, without a vhost.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The management API's URL.
    pub fn api_url(&self) -> &str {
        &self.api
    }

    /// Makes a fresh vhost whose name begins with `prefix` and returns its URL.
    ///
    /// # Errors
    /// [`Error::Unexpected`] when the node refuses.
    pub async fn vhost(&self, prefix: &str) -> Result<String, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{prefix}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.create_vhost(&name).await?;
        Ok(format!("{}/{name}", self.url.trim_end_matches('/')))
    }

    /// Makes the vhost `name`, with all permissions for the API's user.
    ///
    /// # Errors
    /// [`Error::Unexpected`] when the node refuses.
    pub async fn create_vhost(&self, name: &str) -> Result<(), Error> {
        self.request("PUT", &format!("/api/vhosts/{name}"), "{}").await?;
        let user = self.api_parts()?.0;
        let all = r#"{"configure":".*","write":".*","read":".*"}"#;
        self.request("PUT", &format!("/api/permissions/{name}/{user}"), all).await.map(drop)
    }

    /// Calls the management API; answers the body of a 2xx answer.
    ///
    /// # Errors
    /// [`Error::Unexpected`] with the status line of any other answer.
    pub async fn request(&self, method: &str, path: &str, body: &str) -> Result<String, Error> {
        let (user, password, host) = self.api_parts()?;
        let authorization = STANDARD.encode(format!("{user}:{password}"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic {authorization}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let call = async {
            let mut stream = TcpStream::connect(&host).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        let late = |_| Error::Unexpected(format!("{method} {path}: no answer"));
        let answer: Result<String, std::io::Error> =
            tokio::time::timeout(Duration::from_secs(20), call).await.map_err(late)?;
        let answer = answer.map_err(Error::io(format!("{method} {path}")))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.lines().next().unwrap_or_default();
        if status.split(' ').nth(1).is_some_and(|code| code.starts_with('2')) {
            return Ok(body.to_owned());
        }
        Err(Error::Unexpected(format!("{method} {path}: {status}")))
    }

    fn api_parts(&self) -> Result<(String, String, String), Error> {
        let url = Url::parse(&self.api).map_err(|error| Error::Unexpected(error.to_string()))?;
        let host = format!("{}:{}", url.host_str().unwrap_or("127.0.0.1"), url.port().unwrap_or(15672));
        Ok((url.username().to_owned(), url.password().unwrap_or_default().to_owned(), host))
    }

    /// Starts a private node again on the data it has. Does nothing to a given one.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the end of its log.
    pub async fn start(&mut self) -> Result<(), Error> {
        let (this, Some(private)) = (&self.url, &mut self.private) else { return Ok(()) };
        private.node = None;
        let log = private.folder.path().join("node.log");
        let node = Process::start(&private.command, &private.environment, &log)?;
        let amqp = Url::parse(this).ok().and_then(|url| url.port()).unwrap_or(5672);
        let api = Url::parse(&self.api).ok().and_then(|url| url.port()).unwrap_or(15672);
        wait_ready("RabbitMQ", &node, &log, READY_SECONDS, || async move {
            greets(amqp).await && listens(api).await
        })
        .await?;
        private.node = Some(node);
        Ok(())
    }

    /// Ends a private node as an operator would.
    pub fn stop(&mut self) {
        if let Some(node) = self.private.as_mut().and_then(|private| private.node.take()) {
            node.signal(Signal::SIGTERM);
            node.wait(Duration::from_secs(30));
        }
    }

    /// Ends a private node with `SIGKILL`.
    pub fn kill(&mut self) {
        if let Some(private) = &mut self.private {
            private.node = None;
        }
    }

    /// Stops a private node in its tracks: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let node = self.private.as_ref().and_then(|private| private.node.as_ref());
        node.into_iter().for_each(|node| node.signal(signal));
    }
}

/// A node that is ready answers another protocol's greeting with its own.
async fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut answer = [0; 8];
    stream.write_all(b"AMQP\x00\x00\x00\x00").await.is_ok()
        && stream.read_exact(&mut answer).await.is_ok()
        && answer == *b"AMQP\x00\x00\x09\x01"
}

async fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}
