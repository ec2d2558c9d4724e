//! The gateway's program: its keys, and its proxy before peers.

use std::path::{Path, PathBuf};

use services::Process;
use tempfile::TempDir;
use url::Url;

use crate::programs::program;
use crate::wait::until;

/// Keys that `gateway keys init` has made. They end when this is dropped.
pub struct Keys(TempDir);

impl Keys {
    /// Makes them.
    ///
    /// # Panics
    /// When the program fails.
    #[expect(
        clippy::expect_used,
        reason = "a test stops where an expectation fails"
    )]
    pub fn init() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut init = std::process::Command::new(program("gateway"));
        init.args(["keys", "init", "--dir"]).arg(folder.path());
        let made = init.output().expect("the gateway starts");
        assert!(made.status.success(), "{made:?}");
        Self(folder)
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// What `GATEWAY_KEYS` of every peer names.
    pub fn set(&self) -> PathBuf {
        self.0.path().join("jwks.json")
    }
}

/// A proxy that runs. It ends when this is dropped.
pub struct Proxy {
    /// Where the dashboards are, in the order of the upstreams.
    pub dashboards: Vec<Url>,
    /// Its process.
    pub process: Process,
}

/// Starts `gateway proxy` in `role` before `upstreams`: the first `shown` of them have their pages at an address of its own.
/// It logs to `log`.
///
/// # Panics
/// When it does not start.
#[expect(
    clippy::expect_used,
    reason = "a test stops where an expectation fails"
)]
pub async fn proxy(
    keys: &Keys,
    role: &str,
    upstreams: &[(&str, &str)],
    shown: usize,
    log: &Path,
) -> Proxy {
    let mut command = vec![program("gateway").display().to_string()];
    let mut argument = |name: &str, value: String| command.extend([name.to_owned(), value]);
    argument("proxy", format!("--role={role}"));
    argument("--dir", keys.0.path().display().to_string());
    for (name, url) in upstreams {
        argument(
            "--upstream",
            format!("{name}={}", url.trim_end_matches('/')),
        );
    }
    for _ in 0..shown {
        argument("--listen", "127.0.0.1:0".to_owned());
    }
    let process = Process::start(&command, &[], log).expect("the gateway starts");
    let names: Vec<&str> = upstreams
        .iter()
        .take(shown)
        .map(|(name, _)| *name)
        .collect();
    Proxy {
        dashboards: listening(log, &names).await,
        process,
    }
}

/// Where a gateway that prints to `log` listens for these dashboards.
pub(crate) async fn listening(log: &Path, names: &[&str]) -> Vec<Url> {
    let address = |printed: &str, name: &str| {
        let mut lines = printed.lines();
        let line = lines.find(|line| line.starts_with(&format!("{name} ")))?;
        Url::parse(line.split(' ').nth(1)?).ok()
    };
    until("the gateway listens", async || {
        let printed = std::fs::read_to_string(log).unwrap_or_default();
        let urls: Option<Vec<Url>> = names.iter().map(|name| address(&printed, name)).collect();
        urls.ok_or(printed)
    })
    .await
}
