//! The four peers as users run them: optimised programs of their own, on real servers.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use services::mesh::{PLACES, Servers, environments, ports};
use services::{Process, http};
use tempfile::TempDir;
use url::Url;

use crate::error::Error;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// Running peers; everything ends when this is dropped, the peers before their servers.
pub(crate) struct Peers {
    peers: Vec<Peer>,
    _servers: Servers,
    _folder: TempDir,
}

/// One of them.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// From its start until it said that it is ready.
    pub(crate) ready_after: Duration,
    program: PathBuf,
    url: Url,
    process: Process,
}

impl Peers {
    /// Starts them one after the other, each ready before the next begins.
    pub(crate) async fn start() -> Result<Self, Error> {
        let ports = ports(false)?;
        let servers = Servers::start(ports).await?;
        let folder = tempfile::Builder::new()
            .prefix("hmac-mesh-bench-")
            .tempdir()?;
        let mut peers = Vec::new();
        let environments = environments(&servers.vhost, &servers.addresses)?;
        for ((place, port), environment) in PLACES.iter().zip(ports).zip(environments) {
            let program = program(place.name)?;
            let environment: Vec<_> = environment
                .into_iter()
                .chain([("RUST_LOG".to_owned(), "warn".to_owned())])
                .collect();
            let log = folder.path().join(format!("{}.log", place.name));
            let url = Url::parse(&format!("http://127.0.0.1:{port}"))?;
            let begun = Instant::now();
            let process = Process::start(&[program.display().to_string()], &environment, &log)?;
            ready(&url, begun).await?;
            peers.push(Peer {
                name: place.name,
                ready_after: begun.elapsed(),
                program,
                url,
                process,
            });
        }
        Ok(Self {
            peers,
            _servers: servers,
            _folder: folder,
        })
    }

    /// All of them, in the order they were started.
    pub(crate) fn all(&self) -> &[Peer] {
        &self.peers
    }

    /// One of them.
    pub(crate) fn peer(&self, name: &str) -> Result<&Peer, Error> {
        self.peers
            .iter()
            .find(|peer| peer.name == name)
            .ok_or_else(|| format!("no peer {name}").into())
    }
}

impl Peer {
    /// A page or a route of it.
    pub(crate) fn url(&self, path: &str) -> Result<Url, Error> {
        Ok(self.url.join(path)?)
    }

    /// Sends a JSON request; an answer other than 2xx is an error.
    pub(crate) async fn request(
        &self,
        method: &'static str,
        path: &str,
        body: Option<String>,
    ) -> Result<String, Error> {
        let (status, answer) = http::exchange(method, self.url(path)?, body).await?;
        match status {
            200..300 => Ok(answer),
            _ => Err(format!("{} answered {path} with {status}: {answer}", self.name).into()),
        }
    }

    /// Memory that is resident now, in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// The size of the program, in bytes.
    pub(crate) fn program_bytes(&self) -> Result<u64, Error> {
        Ok(fs::metadata(&self.program)?.len())
    }
}

/// A program built beside this one.
fn program(name: &str) -> Result<PathBuf, Error> {
    let path = std::env::current_exe()?.with_file_name(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(format!(
            "{} is missing: `cargo bench-mesh` builds it",
            path.display()
        )
        .into()),
    }
}

async fn ready(url: &Url, begun: Instant) -> Result<(), Error> {
    loop {
        let answer = http::exchange("GET", url.join("/readyz")?, None).await;
        if matches!(answer, Ok((200, _))) {
            return Ok(());
        }
        if begun.elapsed() > READY_WITHIN {
            return Err(format!("{url} is not ready: {answer:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
