//! A child process that dies with its parent.
//!
//! The server runs under a small shell in a process group of their own. The shell waits for the end of its standard input, which only
//! this process holds open: when it closes, by a drop or because this process is gone, the shell kills the group.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::Error;

/// A line says that the value was dropped; the end of input that this process is gone, so that nobody else removes the
/// temporary folder. `-s KILL --` because dash takes the `--` after `-KILL` for a process.
const SUPERVISOR: &str = r#"
log=$1; shift
"$@" </dev/null >>"$log" 2>&1 & echo $!
trap '' INT TERM HUP
read -r line || case ${log%/*} in
  */hmac-mesh-*) setsid sh -c 'sleep 1; rm -rf -- "$1"' cleaner "${log%/*}" >/dev/null 2>&1 & sleep 0.1 ;;
esac
kill -s KILL -- -$$
"#;

/// How long one answer of a server may take before it is asked anew: seconds on a busy machine, while it is making its data.
const ONE_ANSWER: Duration = Duration::from_secs(5);

/// Between two questions, from the first to the later ones: Redis is there at once, and RabbitMQ is not to be kept from starting.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(160);

/// A running program that dies with this process, also after a `kill -9`.
pub struct Process {
    supervisor: Child,
    pid: Pid,
}

impl Process {
    /// Starts `command` with its output appended to `log`, and `environment` added to this process's own.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be started.
    pub fn start(
        command: &[String],
        environment: &[(String, String)],
        log: &Path,
    ) -> Result<Self, Error> {
        let what = || format!("starting {}", command.first().map_or("", String::as_str));
        let mut supervisor = Command::new("/bin/sh")
            .arg("-c")
            .arg(SUPERVISOR)
            .arg("supervisor")
            .arg(log)
            .args(command)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Error::io(what()))?;
        let mut line = String::new();
        if let Some(stdout) = supervisor.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(Error::io(what()))?;
        }
        let pid = line
            .trim()
            .parse()
            .map_err(|_| Error::Unexpected(format!("{}: no process id", what())))?;
        Ok(Self {
            supervisor,
            pid: Pid::from_raw(pid),
        })
    }

    /// The id of the program itself.
    pub fn id(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Asks it to end (`SIGTERM`) and waits for that; `false` when it has not ended by then.
    pub fn stop(&self, time: Duration) -> bool {
        self.signal(Signal::SIGTERM);
        self.wait(time)
    }

    /// Stops it in its tracks (`SIGSTOP`).
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Sends a signal to the server and all that it started.
    pub(crate) fn signal(&self, signal: Signal) {
        for pid in descendants(self.pid) {
            // A process that is gone already needs no signal.
            let _ = kill(pid, signal);
        }
    }

    /// Tells whether it still runs.
    pub fn is_running(&self) -> bool {
        // A zombie (dead, and its shell has not reaped it) does not run.
        fs::read_to_string(format!("/proc/{}/stat", self.pid)).is_ok_and(|stat| {
            stat.rsplit(')')
                .next()
                .is_some_and(|rest| !rest.trim_start().starts_with('Z'))
        })
    }

    /// Waits until the server has ended; `false` when it has not by then.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while self.is_running() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        if let Some(mut input) = self.supervisor.stdin.take() {
            let _ = input.write_all(b"dropped\n");
        }
        let _ = self.supervisor.wait();
    }
}

/// A process and all its children, theirs included.
fn descendants(pid: Pid) -> Vec<Pid> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        let children =
            fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        all.extend(
            children
                .split_whitespace()
                .filter_map(|child| child.parse().ok())
                .map(Pid::from_raw),
        );
        next += 1;
    }
    all
}

/// Finds a program on the path, or in one of the folders that servers are installed to.
pub fn binary(names: &[&str]) -> Option<PathBuf> {
    let path = crate::environment::variable("PATH").unwrap_or_default();
    let folders = path.split(':').chain([
        "/usr/lib/rabbitmq/bin",
        "/usr/sbin",
        "/usr/local/sbin",
        "/opt/homebrew/sbin",
    ]);
    let candidates =
        folders.flat_map(|folder| names.iter().map(move |name| Path::new(folder).join(name)));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

/// What to install where a server is missing.
pub fn install_hint(server: &str) -> &'static str {
    match server {
        "redis" => {
            "install redis-server (Debian: apt-get install redis-server) or a container engine"
        }
        "mariadb" => {
            "install mariadb-server (Debian: apt-get install mariadb-server) or a container engine"
        }
        "chromium" => {
            "install Chromium and chromedriver (Debian: apt-get install chromium chromium-driver), or set HMAC_MESH_CHROMEDRIVER"
        }
        "curl" | "openssl" | "faketime" => {
            "install curl, openssl and faketime (Debian: apt-get install curl openssl faketime)"
        }
        _ => {
            "install rabbitmq-server (Debian: apt-get install rabbitmq-server) or a container engine"
        }
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join(" | ")
}

/// Asks `ready` again and again until it says yes, the process has ended, or the time is over.
pub(crate) async fn wait_ready<F: Future<Output = bool>>(
    server: &'static str,
    process: &Process,
    log: &Path,
    seconds: u64,
    ready: impl Fn() -> F,
) -> Result<(), Error> {
    until_ready(
        server,
        seconds,
        || async { process.is_running() },
        || tail(log),
        ready,
    )
    .await
}

/// The same for a server that is no process of ours: `runs` tells whether it still does, and `log` how its log ends.
pub(crate) async fn until_ready<R: Future<Output = bool>, F: Future<Output = bool>>(
    server: &'static str,
    seconds: u64,
    runs: impl Fn() -> R,
    log: impl FnOnce() -> String,
    ready: impl Fn() -> F,
) -> Result<(), Error> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut pause = SHORTEST_PAUSE;
    while Instant::now() < deadline && runs().await {
        if tokio::time::timeout(ONE_ANSWER, ready())
            .await
            .unwrap_or(false)
        {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Err(Error::NotReady {
        server,
        seconds,
        log: log(),
    })
}
