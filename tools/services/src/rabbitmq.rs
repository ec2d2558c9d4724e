//! RabbitMQ: one node, a vhost for each caller.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::container::{self, Recipe};
use crate::environment;
use crate::error::Error;
use crate::images;
use crate::ports::free_port;
use crate::process::{Process, binary, install_hint};
use crate::runner::{Native, Runner};

/// It takes five seconds alone on a machine, and minutes among others that take all of it.
const READY_SECONDS: u64 = 300;

/// The name of a native node.
const NODE: &str = "mesh@localhost";

/// A RabbitMQ node, given or private.
pub struct RabbitMq {
    url: String,
    api: String,
    private: Option<Runner>,
}

/// The shared node of this run (`HMAC_MESH_RABBITMQ`, `HMAC_MESH_RABBITMQ_API`), else a private one.
///
/// # Errors
/// [`Error::Missing`] says what to install; else why it did not start.
pub async fn rabbitmq() -> Result<RabbitMq, Error> {
    let given = environment::variable("HMAC_MESH_RABBITMQ")
        .zip(environment::variable("HMAC_MESH_RABBITMQ_API"));
    match given {
        Some((url, api)) => Ok(RabbitMq {
            url,
            api,
            private: None,
        }),
        None => private_rabbitmq().await,
    }
}

/// A private node, for callers that stop it.
///
/// # Errors
/// As for [`rabbitmq`].
pub async fn private_rabbitmq() -> Result<RabbitMq, Error> {
    let (port, api_port) = (free_port()?, free_port()?);
    let runner = match binary(&["rabbitmq-server"]).filter(|_| !container::preferred()) {
        Some(program) => native(program, port, api_port)?,
        None if container::available() => in_container(port, api_port).await?,
        None => {
            return Err(Error::Missing {
                server: "RabbitMQ",
                hint: install_hint("rabbitmq"),
            });
        }
    };
    let mut node = RabbitMq {
        url: format!("amqp://guest:guest@127.0.0.1:{port}"),
        api: format!("http://guest:guest@127.0.0.1:{api_port}"),
        private: Some(runner),
    };
    node.start().await?;
    Ok(node)
}

async fn in_container(port: u16, api_port: u16) -> Result<Runner, Error> {
    let recipe = Recipe {
        server: "rabbitmq",
        image: images::RABBITMQ,
        ports: &[(port, 5672), (api_port, 15672)],
        variables: &[
            ("RABBITMQ_DEFAULT_USER", "guest"),
            ("RABBITMQ_DEFAULT_PASS", "guest"),
        ],
        arguments: &[],
    };
    Runner::container(&recipe).await
}

fn native(program: PathBuf, port: u16, api_port: u16) -> Result<Runner, Error> {
    // The wrapper in sbin changes the user; the script behind it does not.
    let script = PathBuf::from("/usr/lib/rabbitmq/bin/rabbitmq-server");
    let script = if script.is_file() { script } else { program };
    let folder = tempfile::Builder::new()
        .prefix("hmac-mesh-rabbitmq-")
        .tempdir()
        .map_err(Error::io("temporary folder"))?;
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
        ("RABBITMQ_NODENAME", NODE.to_owned()),
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
    let environment: Vec<_> = environment
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
    // Erlang's port mapper would make itself a daemon that outlives us; one of our own is a child like any other.
    let port_mapper = match binary(&["epmd"]) {
        Some(program) => Some(Process::start(
            &[program.display().to_string()],
            &environment,
            &path.join("epmd.log"),
        )?),
        None => None,
    };
    let native = Native::new(vec![script.display().to_string()], folder);
    Ok(Runner::Native(native.with(environment, port_mapper)))
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
        let name = format!(
            "{prefix}-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        self.create_vhost(&name).await?;
        Ok(format!("{}/{name}", self.url.trim_end_matches('/')))
    }

    /// Makes the vhost `name`, with all permissions for the API's user.
    ///
    /// # Errors
    /// [`Error::Unexpected`] when the node refuses.
    pub async fn create_vhost(&self, name: &str) -> Result<(), Error> {
        self.request("PUT", &format!("/api/vhosts/{name}"), "{}")
            .await?;
        let user = api_parts(&self.api)?.0;
        let all = r#"{"configure":".*","write":".*","read":".*"}"#;
        self.request("PUT", &format!("/api/permissions/{name}/{user}"), all)
            .await
            .map(drop)
    }

    /// Calls the management API; answers the body of a 2xx answer.
    ///
    /// # Errors
    /// [`Error::Unexpected`] with the status line of any other answer.
    pub async fn request(&self, method: &str, path: &str, body: &str) -> Result<String, Error> {
        request(&self.api, method, path, body).await
    }

    /// Runs `rabbitmqctl` on a private node.
    ///
    /// # Errors
    /// [`Error::Unexpected`] with what it says, and for any other node.
    pub fn control(&self, arguments: &[&str]) -> Result<(), Error> {
        let mut command = match &self.private {
            Some(Runner::Native(native)) => native_control(native)?,
            Some(Runner::Container(container)) => container.tool("rabbitmqctl"),
            None => return Err(Error::Unexpected("no node of our own".to_owned())),
        };
        let output = command
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(Error::io("rabbitmqctl"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Unexpected(format!(
            "rabbitmqctl: {}",
            String::from_utf8_lossy(&output.stderr)
        )))
    }

    /// Starts a private node again on the data it has. Does nothing to a given one.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the end of its log.
    pub async fn start(&mut self) -> Result<(), Error> {
        let (api, Some(runner)) = (&self.api, &mut self.private) else {
            return Ok(());
        };
        let port = Url::parse(&self.url)
            .ok()
            .and_then(|url| url.port())
            .unwrap_or(5672);
        // A port alone says nothing: a container's is open before its server is.
        let ready =
            || async { greets(port).await && request(api, "GET", "/api/whoami", "").await.is_ok() };
        runner.start("RabbitMQ", READY_SECONDS, ready).await
    }

    /// Ends a private node as an operator would.
    pub fn stop(&mut self) {
        self.private
            .iter_mut()
            .for_each(|runner| runner.stop(Duration::from_secs(30)));
    }

    /// Ends a private node with `SIGKILL`.
    pub fn kill(&mut self) {
        self.private.iter_mut().for_each(Runner::kill);
    }

    /// Stops a private node in its tracks: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.private.iter().for_each(Runner::pause);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.private.iter().for_each(Runner::resume);
    }
}

/// A node that is ready answers an unknown version with one that it speaks: RabbitMQ 3 with 0-9-1, RabbitMQ 4 with 1.0.
async fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else {
        return false;
    };
    let mut answer = [0; 8];
    stream.write_all(b"AMQP\x00\x00\x00\x00").await.is_ok()
        && stream.read_exact(&mut answer).await.is_ok()
        && answer.starts_with(b"AMQP")
}

/// Calls a node's management API.
async fn request(api: &str, method: &str, path: &str, body: &str) -> Result<String, Error> {
    let (user, password, host) = api_parts(api)?;
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
        tokio::time::timeout(Duration::from_secs(20), call)
            .await
            .map_err(late)?;
    let answer = answer.map_err(Error::io(format!("{method} {path}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if status
        .split(' ')
        .nth(1)
        .is_some_and(|code| code.starts_with('2'))
    {
        return Ok(body.to_owned());
    }
    Err(Error::Unexpected(format!("{method} {path}: {status}")))
}

/// Its user, password and host.
fn api_parts(api: &str) -> Result<(String, String, String), Error> {
    let url = Url::parse(api).map_err(|error| Error::Unexpected(error.to_string()))?;
    let host = format!(
        "{}:{}",
        url.host_str().unwrap_or("127.0.0.1"),
        url.port().unwrap_or(15672)
    );
    Ok((
        url.username().to_owned(),
        url.password().unwrap_or_default().to_owned(),
        host,
    ))
}

/// `rabbitmqctl` for a node that is a native program.
fn native_control(native: &Native) -> Result<Command, Error> {
    let program = binary(&["rabbitmqctl"]).ok_or(Error::Missing {
        server: "RabbitMQ",
        hint: install_hint("rabbitmq"),
    })?;
    // As for the server: the wrapper in sbin changes the user.
    let script = PathBuf::from("/usr/lib/rabbitmq/bin/rabbitmqctl");
    let mut command = Command::new(if script.is_file() { script } else { program });
    command.args(["--node", NODE]).envs(
        native
            .environment()
            .iter()
            .map(|(name, value)| (name, value)),
    );
    Ok(command)
}
