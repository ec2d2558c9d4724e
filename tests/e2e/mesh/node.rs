//! One peer: its process, its servers, its log.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use services::{Process, Redis};

use super::DEADLINE;
use super::environment::Peer;

/// How much of a log is shown when a story fails.
const SHOWN_LINES: usize = 60;

pub(super) struct Node {
    pub(super) peer: Peer,
    pub(super) port: u16,
    pub(super) redis: Redis,
    pub(super) database: Option<String>,
    pub(super) log: PathBuf,
    pub(super) process: Option<Process>,
    pub(super) launched: Option<Instant>,
}

impl Node {
    pub(super) fn launch(&mut self, environment: &[(String, String)]) {
        self.until_port_is_free();
        let command = [program(self.peer.name()).display().to_string()];
        self.launched = Some(Instant::now());
        self.process =
            Some(Process::start(&command, environment, &self.log).expect("the peer's process starts"));
    }

    /// A killed process gives its port back a moment after it is gone.
    fn until_port_is_free(&self) {
        let start = Instant::now();
        while let Err(error) = TcpListener::bind(("127.0.0.1", self.port)) {
            assert!(start.elapsed() < DEADLINE, "{}: port {}: {error}", self.peer.name(), self.port);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(super) fn print_log(&self) {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        eprintln!("── the last lines of {}'s log ──", self.peer.name());
        for line in &lines[lines.len().saturating_sub(SHOWN_LINES)..] {
            eprintln!("{line}");
        }
    }
}

/// A peer's program, built beside this test.
pub(crate) fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("the path of this test");
    let folder = own.parent().and_then(|deps| deps.parent()).expect("the target folder");
    let path = folder.join(name);
    assert!(path.is_file(), "{} is missing: build it first, by `cargo build --workspace`", path.display());
    path
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
