//! MariaDB: one server, a schema for each caller.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Executor, MySqlConnection};
use url::Url;

use crate::container::{self, Recipe};
use crate::environment;
use crate::error::Error;
use crate::images;
use crate::ports::free_port;
use crate::process::{binary, install_hint};
use crate::runner::{Native, Runner};

const READY_SECONDS: u64 = 120;

/// What its data is given of the machine, and how many may call.
const SIZES: [&str; 2] = ["--max-connections=400", "--innodb-buffer-pool-size=128M"];

/// A MariaDB server, given or private.
pub struct MariaDb {
    url: String,
    private: Option<Runner>,
}

/// The shared server of this run (`HMAC_MESH_MARIADB`), else a private one.
///
/// # Errors
/// [`Error::Missing`] says what to install; else why it did not start.
pub async fn mariadb() -> Result<MariaDb, Error> {
    match environment::variable("HMAC_MESH_MARIADB") {
        Some(url) => Ok(MariaDb { url, private: None }),
        None => private_mariadb().await,
    }
}

/// A private server, for callers that stop it.
///
/// # Errors
/// As for [`mariadb`].
pub async fn private_mariadb() -> Result<MariaDb, Error> {
    let port = free_port()?;
    let runner = match binary(&["mariadbd", "mysqld"]).filter(|_| !container::preferred()) {
        Some(program) => native(&program, port)?,
        None if container::available() => in_container(port).await?,
        None => {
            return Err(Error::Missing {
                server: "MariaDB",
                hint: install_hint("mariadb"),
            });
        }
    };
    let mut server = MariaDb {
        url: format!("mysql://root@127.0.0.1:{port}"),
        private: Some(runner),
    };
    server.start().await?;
    Ok(server)
}

async fn in_container(port: u16) -> Result<Runner, Error> {
    let recipe = Recipe {
        server: "mariadb",
        image: images::MARIADB,
        ports: &[(port, 3306)],
        variables: &[("MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "1")],
        arguments: &[&["mariadbd"], SIZES.as_slice()].concat(),
    };
    Runner::container(&recipe).await
}

fn native(program: &Path, port: u16) -> Result<Runner, Error> {
    let folder = tempfile::Builder::new()
        .prefix("hmac-mesh-mariadb-")
        .tempdir()
        .map_err(Error::io("temporary folder"))?;
    install(folder.path())?;
    Ok(Runner::Native(Native::new(
        native_command(program, port, folder.path()),
        folder,
    )))
}

/// Makes an empty data folder.
fn install(folder: &Path) -> Result<(), Error> {
    let program = binary(&["mariadb-install-db", "mysql_install_db"]).ok_or(Error::Missing {
        server: "MariaDB",
        hint: install_hint("mariadb"),
    })?;
    let mut command = Command::new(program);
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", folder.join("data").display()));
    command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
    // Its temporary tables are named by process id, which another container on the same /tmp may have as well.
    command.env("TMPDIR", folder);
    if nix::unistd::Uid::effective().is_root() {
        command.arg("--user=root");
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io("making MariaDB's data folder"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Unexpected(format!(
        "making MariaDB's data folder: {}",
        String::from_utf8_lossy(&output.stderr)
    )))
}

fn native_command(program: &Path, port: u16, folder: &Path) -> Vec<String> {
    let folder = folder.display();
    let mut command = vec![
        program.display().to_string(),
        "--no-defaults".to_owned(),
        format!("--datadir={folder}/data"),
        format!("--socket={folder}/mariadb.sock"),
        format!("--pid-file={folder}/mariadb.pid"),
        format!("--tmpdir={folder}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--port={port}"),
    ];
    command.extend(SIZES.map(str::to_owned));
    if nix::unistd::Uid::effective().is_root() {
        command.push("--user=root".to_owned());
    }
    command
}

impl MariaDb {
    /// The server's URL, without a schema.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes a fresh schema whose name begins with `prefix` and returns its URL.
    ///
    /// # Errors
    /// [`Error::Unexpected`] when the server refuses.
    pub async fn database(&self, prefix: &str) -> Result<String, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "{prefix}_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let refused =
            |error: sqlx::Error| Error::Unexpected(format!("creating schema {name}: {error}"));
        let mut connection = connect(&self.url).await.map_err(refused)?;
        let create = sqlx::AssertSqlSafe(format!(
            "CREATE OR REPLACE DATABASE `{name}` CHARACTER SET utf8mb4"
        ));
        connection.execute(create).await.map_err(refused)?;
        connection.close().await.map_err(refused)?;
        let mut url =
            Url::parse(&self.url).map_err(|error| Error::Unexpected(error.to_string()))?;
        url.set_path(&name);
        Ok(url.to_string())
    }

    /// Starts a private server again on the data it has. Does nothing to a given one.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the end of its log.
    pub async fn start(&mut self) -> Result<(), Error> {
        let (url, Some(runner)) = (&self.url, &mut self.private) else {
            return Ok(());
        };
        runner
            .start("MariaDB", READY_SECONDS, || async {
                connect(url).await.is_ok()
            })
            .await
    }

    /// Ends a private server as an operator would.
    pub fn stop(&mut self) {
        self.private
            .iter_mut()
            .for_each(|runner| runner.stop(Duration::from_secs(30)));
    }

    /// Ends a private server with `SIGKILL`.
    pub fn kill(&mut self) {
        self.private.iter_mut().for_each(Runner::kill);
    }

    /// Stops a private server in its tracks.
    pub fn pause(&self) {
        self.private.iter().for_each(Runner::pause);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.private.iter().for_each(Runner::resume);
    }
}

async fn connect(url: &str) -> Result<MySqlConnection, sqlx::Error> {
    let options: sqlx::mysql::MySqlConnectOptions = url.parse()?;
    options.disable_statement_logging().connect().await
}
