//! One peer: where it lives, its stores, its log.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) use e2e::programs::program;
use services::Process;

use super::DEADLINE;
use super::engine::Container;
use super::environment::Peer;
use super::server::Server;

/// How much of a log is shown when a story fails.
const SHOWN_LINES: usize = 60;

/// A peer that is asked to end has ended within this time: its own bound, and its process's end.
const GOODBYE: Duration = Duration::from_millis(10_500);

/// What a peer says that has not closed everything within its bound.
const OVERDUE: &str = "not stopped in time";

/// A peer and what belongs to it alone.
pub(super) struct Node {
    pub(super) peer: Peer,
    /// Where it serves HTTP, as everybody in the mesh reaches it.
    pub(super) url: String,
    pub(super) redis: Server,
    pub(super) redis_url: String,
    pub(super) database: Option<String>,
    pub(super) home: Home,
    pub(super) launched: Option<Instant>,
}

/// What a peer runs as.
pub(super) enum Home {
    /// A process of this machine.
    Program(Program),
    /// A container of a composed mesh.
    Container(Container),
}

/// Which program a peer runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    /// The one built beside this test.
    Current,
    /// The one in the folder that `HMAC_MESH_EARLIER` names.
    Earlier,
}

impl Version {
    fn program(self, name: &str) -> PathBuf {
        match self {
            Self::Current => program(name),
            Self::Earlier => {
                let folder = services::variable("HMAC_MESH_EARLIER");
                let folder =
                    folder.expect("HMAC_MESH_EARLIER names the programs of an earlier version");
                PathBuf::from(folder).join(name)
            }
        }
    }
}

/// A peer's program, and its process while it runs.
pub(super) struct Program {
    pub(super) port: u16,
    pub(super) version: Version,
    pub(super) log: PathBuf,
    pub(super) process: Option<Process>,
}

impl Node {
    /// Starts the peer.
    pub(super) async fn launch(&mut self, environment: Vec<(String, String)>) {
        self.launched = Some(Instant::now());
        match &mut self.home {
            Home::Program(own) => own.launch(self.peer, &environment),
            Home::Container(container) => container.launch(environment).await,
        }
    }

    /// Ends it as an operator would.
    pub(super) async fn stop(&mut self) {
        let start = Instant::now();
        match &mut self.home {
            Home::Program(own) => {
                let process = own.process.take().expect("the peer runs");
                process.stop(GOODBYE);
            }
            Home::Container(container) => container.stop().await,
        }
        let name = self.peer.name();
        assert!(
            start.elapsed() < GOODBYE,
            "{name} did not stop within {GOODBYE:?} of SIGTERM"
        );
        assert!(
            !self.log().await.contains(OVERDUE),
            "{name} left something open that it should have closed"
        );
    }

    /// Ends it with `SIGKILL`, if it runs.
    pub(super) async fn kill(&mut self) {
        match &mut self.home {
            Home::Program(own) => own.process = None,
            Home::Container(container) => container.kill().await,
        }
    }

    /// Stops it in its tracks (`SIGSTOP`).
    pub(super) async fn pause(&self) {
        match &self.home {
            Home::Program(own) => own.process.iter().for_each(Process::pause),
            Home::Container(container) => container.pause().await,
        }
    }

    /// Lets it go on.
    pub(super) async fn resume(&self) {
        match &self.home {
            Home::Program(own) => own.process.iter().for_each(Process::resume),
            Home::Container(container) => container.resume().await,
        }
    }

    /// `Err` when its process has ended by itself.
    pub(super) fn is_alive(&self) -> Result<(), String> {
        match &self.home {
            Home::Program(own) if !own.process.as_ref().is_some_and(Process::is_running) => {
                Err("its process has ended".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// What it has logged so far.
    pub(super) async fn log(&self) -> String {
        match &self.home {
            Home::Program(own) => {
                String::from_utf8_lossy(&std::fs::read(&own.log).unwrap_or_default()).into_owned()
            }
            Home::Container(container) => container.log().await,
        }
    }

    /// Prints the end of its log.
    pub(super) async fn print_log(&self) {
        let text = self.log().await;
        let lines: Vec<&str> = text.lines().collect();
        eprintln!("── the last lines of {}'s log ──", self.peer.name());
        for line in &lines[lines.len().saturating_sub(SHOWN_LINES)..] {
            eprintln!("{line}");
        }
    }
}

impl Program {
    fn launch(&mut self, peer: Peer, environment: &[(String, String)]) {
        self.until_port_is_free(peer);
        let program = self.version.program(peer.name());
        let command = [program.display().to_string()];
        let process = Process::start(&command, environment, &self.log);
        self.process = Some(process.expect("the peer's process starts"));
    }

    /// A killed process gives its port back a moment after it is gone.
    fn until_port_is_free(&self, peer: Peer) {
        let start = Instant::now();
        while let Err(error) = TcpListener::bind(("127.0.0.1", self.port)) {
            assert!(
                start.elapsed() < DEADLINE,
                "{}: port {}: {error}",
                peer.name(),
                self.port
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Four ports that nothing listens on.
pub(super) fn free_ports() -> [u16; 4] {
    let mut ports = BTreeSet::new();
    while ports.len() < 4 {
        ports.insert(services::free_port().expect("a free port"));
    }
    let mut ports = ports.into_iter();
    std::array::from_fn(|_| ports.next().expect("four ports"))
}
