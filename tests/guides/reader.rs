//! A newcomer with a folder, terminals, and servers.
//!
//! What a page shows is done to the letter, but for what differs from machine to machine: the libraries come from this checkout and
//! not from its address on the web, and the servers and ports are private ones instead of those that `docker run` would give to
//! everybody on this machine. Programs learn of them by the variables that they read; in commands the addresses are put in their place.

use std::fmt;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::wait::until_within;
use services::{Process, RabbitMq, Redis};

use crate::page::{Program, root};

/// A command may have to compile all that a project stands on.
const COMMAND: Duration = Duration::from_secs(900);
/// How long a program may take to end when it is asked to.
const STOP: Duration = Duration::from_secs(20);
/// The ports of the pages.
const PORTS: [u16; 3] = [3000, 3001, 3002];
/// Where the pages say that the libraries are.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// Variables that this process may have and a newcomer has not.
const FOREIGN: [&str; 12] = [
    "AUTHORITY_SECRET",
    "DATABASE_URL",
    "ORDERS_SECRET",
    "PORT",
    "PROPAGATION_SECRET",
    "PROPAGATION_SOURCES",
    "PROPAGATION_TARGETS",
    "REDIS_URL",
    "SECRET",
    "SECRETS_KEY",
    "SECRET_FILE",
    "URL",
];
/// The same for what cargo tells a test of its own package: build scripts that watch these variables would run again.
const FOREIGN_PREFIXES: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"];

/// `$0`: the folder, `$1`: the commands, `$2`: where their errors go, `$3`: where the status goes when they have ended. The shell
/// itself outlives a request to end, so that its own end is that of what it runs.
const TERMINAL: &str = r#"trap : TERM; cd "$0" && { eval "$1"; } 2>"$2"; echo $? >"$3""#;

/// What commands have printed when they had ended.
pub(crate) struct Printed {
    pub(crate) status: String,
    pub(crate) out: String,
    pub(crate) errors: String,
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "status {}\n── output ──\n{}\n── errors ──\n{}",
            self.status, self.out, self.errors
        )
    }
}

/// Someone who follows a page.
pub(crate) struct Reader {
    /// Below it is all that the reader makes; its name is the same at each run, so that what was compiled is found again.
    home: PathBuf,
    /// Where the reader stands.
    folder: PathBuf,
    redis: Redis,
    rabbitmq: RabbitMq,
    vhost: String,
    ports: [u16; 3],
    terminals: usize,
    /// One reader at a time: two would wait for each other's compilers.
    _lock: File,
}

impl Reader {
    /// Starts the servers of the page.
    pub(crate) async fn new(name: &str) -> Self {
        for program in ["cargo", "curl", "openssl"] {
            assert!(
                services::binary(&[program]).is_some(),
                "the guides use {program}: install it"
            );
        }
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let lock = File::create(target.join("guides.lock")).expect("a lock");
        lock.lock().expect("the lock");
        // Outside of the workspace, as a newcomer is; another checkout has another one.
        let checkout = target.display().to_string().replace('/', "-");
        let home = std::env::temp_dir().join(format!("hmac-mesh-guides{checkout}-{name}"));
        let _ = fs::remove_dir_all(&home);
        fs::create_dir(&home).expect("a folder");
        let (redis, rabbitmq) = tokio::join!(services::redis(), services::rabbitmq());
        let rabbitmq = rabbitmq.expect("RabbitMQ");
        let vhost = rabbitmq.vhost("guides").await.expect("a vhost");
        Self {
            folder: home.clone(),
            home,
            redis: redis.expect("a Redis"),
            rabbitmq,
            vhost,
            ports: PORTS.map(|_| services::free_port().expect("a port")),
            terminals: 0,
            _lock: lock,
        }
    }

    /// Goes to a folder of its own, beside the others.
    pub(crate) fn go_to(&mut self, name: &str) {
        self.folder = self.home.join(name);
        fs::create_dir_all(&self.folder).expect("a folder");
    }

    /// A file where the reader stands.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// What `git clone` of the page brings is this checkout.
    pub(crate) fn clone_the_repository(&self, command: &str) {
        assert_eq!(command.trim(), format!("git clone {REPOSITORY}"));
        symlink(root(), self.file("hmac-mesh")).expect("a link");
    }

    /// Says of a project what it depends on.
    pub(crate) fn depend(&self, project: &str, dependencies: &str) {
        let path = self.file(project).join("Cargo.toml");
        let manifest = fs::read_to_string(&path).expect("`cargo new` has made a manifest");
        let (package, nothing) = manifest
            .split_once("[dependencies]")
            .expect("`cargo new` names dependencies");
        assert_eq!(nothing.trim(), "");
        fs::write(path, format!("{package}{}", local(dependencies))).expect("the manifest");
        // The versions that this checkout is tested with.
        fs::copy(
            root().join("Cargo.lock"),
            self.file(project).join("Cargo.lock"),
        )
        .expect("the lockfile");
    }

    /// Writes a program to the file that it names.
    pub(crate) fn save(&self, program: &Program) {
        let path = self.file(&program.path);
        assert!(
            path.is_file(),
            "{} is no file that `cargo new` made",
            program.path
        );
        fs::write(path, &program.text).expect("the program");
    }

    /// Runs commands to their end.
    pub(crate) async fn run(&mut self, commands: &str) -> Printed {
        let terminal = self.terminal(commands, &[]);
        until_within(
            COMMAND,
            &format!("`{commands}` ends"),
            async || match terminal.process.is_running() {
                true => Err(terminal.printed()),
                false => Ok(terminal.printed()),
            },
        )
        .await
    }

    /// Runs commands that go on, in a terminal of their own.
    pub(crate) fn open(&mut self, commands: &str) -> Terminal {
        self.terminal(commands, &[])
    }

    /// Runs commands that go on until they serve a port of the page, with the database of Redis that is theirs.
    pub(crate) async fn serve(&mut self, commands: &str, port: u16) -> Terminal {
        let database = PORTS
            .iter()
            .position(|known| *known == port)
            .expect("a port of the page");
        let own = self.ports[database];
        drop(TcpListener::bind(("127.0.0.1", own)).expect("nobody serves the port yet"));
        let redis = format!("{}/{database}", self.redis.url());
        let terminal = self.terminal(commands, &[("PORT", own.to_string()), ("REDIS_URL", redis)]);
        until_within(
            COMMAND,
            &format!("`{commands}` serves port {port}"),
            async || {
                terminal.goes_on();
                TcpStream::connect(("127.0.0.1", own)).map_err(|_| terminal.printed())
            },
        )
        .await;
        terminal
    }

    /// The text with the private servers' ports in the place of the page's.
    pub(crate) fn mapped(&self, text: &str) -> String {
        PORTS
            .iter()
            .zip(self.ports)
            .fold(text.to_owned(), |text, (port, own)| {
                text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{own}"))
            })
    }

    fn terminal(&mut self, commands: &str, variables: &[(&'static str, String)]) -> Terminal {
        self.terminals += 1;
        let place = |kind: &str| {
            self.home
                .join(format!("terminal-{}.{kind}", self.terminals))
        };
        let terminal = [place("out"), place("errors"), place("status")];
        let mut command = vec!["/usr/bin/env".to_owned()];
        for name in foreign_variables() {
            command.extend(["-u".to_owned(), name]);
        }
        let variables = self
            .variables()
            .into_iter()
            .chain(variables.iter().cloned());
        command.extend(variables.map(|(name, value)| format!("{name}={value}")));
        let commands = self.mapped(commands);
        // Beside stories with deadlines, a compiler must not be in a hurry.
        command.extend(["nice", "sh", "-c", TERMINAL].map(str::to_owned));
        command.extend([self.folder.display().to_string(), commands.clone()]);
        command.extend(terminal[1..].iter().map(|path| path.display().to_string()));
        let [out, errors, status] = terminal;
        let process = Process::start(&command, &[], &out).expect("a shell");
        Terminal {
            process,
            commands,
            out,
            errors,
            status,
        }
    }

    /// What every terminal has.
    fn variables(&self) -> Vec<(&'static str, String)> {
        // Libraries that this workspace has compiled alike are not compiled again: intermediate results are shared, under cargo's own
        // lock. Programs are not, for there are other `authority`s.
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .expect("the target folder");
        let own = shared.join("guides");
        [
            ("CARGO_BUILD_BUILD_DIR", shared.display().to_string()),
            ("CARGO_TARGET_DIR", own.display().to_string()),
            ("CARGO_INCREMENTAL", "0".to_owned()),
            ("CARGO_PROFILE_DEV_DEBUG", "0".to_owned()),
            // Whatever the pages need, the workspace needs too and has fetched.
            ("CARGO_NET_OFFLINE", "true".to_owned()),
            ("AMQP_URL", self.vhost.clone()),
            ("URL", self.mapped("http://127.0.0.1:3000/greet")),
            ("NO_PROXY", "127.0.0.1".to_owned()),
            ("no_proxy", "127.0.0.1".to_owned()),
        ]
        .to_vec()
    }

    /// Takes away what was made on servers of the run.
    pub(crate) async fn leave(self) {
        let vhost = self.vhost.rsplit('/').next().unwrap_or_default();
        self.rabbitmq
            .request("DELETE", &format!("/api/vhosts/{vhost}"), "")
            .await
            .expect("the vhost goes");
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// Commands that run, and end with this value.
pub(crate) struct Terminal {
    process: Process,
    commands: String,
    out: PathBuf,
    errors: PathBuf,
    status: PathBuf,
}

impl Terminal {
    /// What can be read so far.
    pub(crate) fn printed(&self) -> Printed {
        let read =
            |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        let status = read(&self.status).trim().to_owned();
        Printed {
            status,
            out: read(&self.out),
            errors: read(&self.errors),
        }
    }

    fn goes_on(&self) {
        assert!(
            self.process.is_running(),
            "`{}` has ended: {}",
            self.commands,
            self.printed()
        );
    }

    /// Waits until a line has been printed so often.
    pub(crate) async fn until_prints(&self, line: &str, times: usize) {
        until_within(
            COMMAND,
            &format!("`{}` prints `{line}`", self.commands),
            async || {
                self.goes_on();
                let printed = self.printed();
                match printed
                    .out
                    .lines()
                    .filter(|printed| *printed == line)
                    .count()
                    < times
                {
                    true => Err(printed),
                    false => Ok(()),
                }
            },
        )
        .await;
    }

    /// Asks the program to end, and waits for that.
    pub(crate) fn stop(self) {
        assert!(
            self.process.stop(STOP),
            "`{}` does not end: {}",
            self.commands,
            self.printed()
        );
    }
}

/// The dependencies with this checkout in the place of its address on the web.
fn local(dependencies: &str) -> String {
    let mut local = String::new();
    for line in dependencies.lines() {
        local.push_str(&match line.split_once(" = ") {
            Some((name, source)) if source == format!("{{ git = \"{REPOSITORY}\" }}") => {
                let folders = ["crates", "poc"].map(|folder| root().join(folder).join(name));
                let path = folders.iter().find(|folder| folder.is_dir());
                let path = path.unwrap_or_else(|| panic!("{name} is no crate"));
                format!("{name} = {{ path = {path:?} }}")
            }
            _ => line.to_owned(),
        });
        local.push('\n');
    }
    assert!(!local.contains("git ="), "{local}");
    local
}

fn foreign_variables() -> Vec<String> {
    let all = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    all.filter(|name| {
        FOREIGN_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
            || name.starts_with("NEXTEST")
    })
    .chain(FOREIGN.map(str::to_owned))
    .collect()
}
