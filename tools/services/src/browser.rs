//! A browser without a window, driven over WebDriver.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::environment;
use crate::error::Error;
use crate::ports::free_port;
use crate::process::{Process, binary, install_hint, wait_ready};

const READY_SECONDS: u64 = 30;

/// The programs of a driver.
pub const DRIVERS: &[&str] = &["chromedriver"];

/// The programs of the browser it drives.
pub const PROGRAMS: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// No window, and nobody is called whom a test did not name.
const ARGUMENTS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--metrics-recording-only",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
];

/// A driver that opens browsers, given or private. A private one takes along whatever it opened.
pub struct Browser {
    url: String,
    private: Option<Private>,
}

struct Private {
    program: PathBuf,
    profiles: AtomicU32,
    // The process first: what it writes must not outlive its folder.
    _process: Process,
    folder: TempDir,
}

/// The driver of this run (`HMAC_MESH_CHROMEDRIVER`), else a private one over the Chromium found here.
///
/// # Errors
/// [`Error::Missing`] says what to install; else why it did not start.
pub async fn browser() -> Result<Browser, Error> {
    match environment::variable("HMAC_MESH_CHROMEDRIVER") {
        Some(url) => Ok(Browser { url, private: None }),
        None => private_browser().await,
    }
}

async fn private_browser() -> Result<Browser, Error> {
    let missing = || Error::Missing {
        server: "Chromium",
        hint: install_hint("chromium"),
    };
    let driver = binary(DRIVERS).ok_or_else(missing)?;
    let program = binary(PROGRAMS).ok_or_else(missing)?;
    let folder = tempfile::Builder::new()
        .prefix("hmac-mesh-browser-")
        .tempdir()
        .map_err(Error::io("temporary folder"))?;
    let port = free_port()?;
    let command = [
        driver.display().to_string(),
        format!("--port={port}"),
        "--log-level=WARNING".to_owned(),
    ];
    let home = folder.path().display().to_string();
    let environment = ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"]
        .map(|name| (name.to_owned(), home.clone()))
        // Without a session bus there is nothing to complain about.
        .into_iter()
        .chain([(
            "DBUS_SESSION_BUS_ADDRESS".to_owned(),
            "disabled:".to_owned(),
        )])
        .collect::<Vec<_>>();
    let log = folder.path().join("driver.log");
    let process = Process::start(&command, &environment, &log)?;
    let url = format!("http://127.0.0.1:{port}");
    wait_ready("chromedriver", &process, &log, READY_SECONDS, || {
        answers(port)
    })
    .await?;
    let private = Private {
        program,
        profiles: AtomicU32::new(0),
        _process: process,
        folder,
    };
    Ok(Browser {
        url,
        private: Some(private),
    })
}

impl Browser {
    /// Where the driver listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The browser to open; a given driver knows its own.
    pub fn program(&self) -> Option<&Path> {
        self.private
            .as_ref()
            .map(|private| private.program.as_path())
    }

    /// The arguments for one more browser, with an empty profile of its own.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = ARGUMENTS
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect();
        if let Some(private) = &self.private {
            let number = private.profiles.fetch_add(1, Ordering::Relaxed);
            let profile = private.folder.path().join(format!("profile-{number}"));
            arguments.push(format!("--user-data-dir={}", profile.display()));
        }
        arguments
    }
}

/// The driver speaks HTTP/1.1 only, and only to who calls it by this name.
async fn answers(port: u16) -> bool {
    const OK: &[u8] = b"HTTP/1.1 200 OK";
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else {
        return false;
    };
    let mut answer = [0; OK.len()];
    stream
        .write_all(b"GET /status HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        .await
        .is_ok()
        && stream.read_exact(&mut answer).await.is_ok()
        && answer == OK
}
