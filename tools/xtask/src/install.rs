//! Servers, the browser and a few tools where they are missing: `apt-get` when we are root on Debian or Ubuntu, else one line that says what to install.

use std::process::{Command, Stdio};

use services::browser::{DRIVERS, PROGRAMS};

use crate::error::Error;
use crate::step::Step;

/// What must be here, the programs that show that it is, and its Debian package.
type Needed = (&'static str, &'static [&'static str], &'static str);

const SERVERS: &[Needed] = &[
    ("redis", &["redis-server"], "redis-server"),
    ("mariadb", &["mariadbd", "mysqld"], "mariadb-server"),
    ("rabbitmq", &["rabbitmq-server"], "rabbitmq-server"),
];

/// Tells whether an address of a server was given.
pub(crate) fn given(server: &str) -> bool {
    match server {
        "rabbitmq" => services::variable("HMAC_MESH_RABBITMQ").is_some(),
        "mariadb" => services::variable("HMAC_MESH_MARIADB").is_some(),
        "chromium" => services::variable("HMAC_MESH_CHROMEDRIVER").is_some(),
        _ => false,
    }
}

/// There is no container to take its place.
const BROWSER: &[Needed] = &[
    ("chromium", PROGRAMS, "chromium"),
    ("chromium", DRIVERS, "chromium-driver"),
];

/// What the guides tell their reader to use, and what sets the clock of a peer in the stories.
const TOOLS: &[Needed] = &[
    ("curl", &["curl"], "curl"),
    ("openssl", &["openssl"], "openssl"),
    ("faketime", &["faketime"], "faketime"),
];

/// Makes sure that every server can be started; `given` tells which have an address already.
pub(crate) async fn servers(given: impl Fn(&str) -> bool) -> Result<(), Error> {
    let missing = missing(SERVERS, given);
    if missing.is_empty() || container_engine() {
        return Ok(());
    }
    packages("install the missing servers", &missing).await
}

/// Makes sure that a browser can be started.
pub(crate) async fn browser() -> Result<(), Error> {
    all_of("install the missing browser", BROWSER).await
}

/// Makes sure that the guides can be followed, and clocks be set.
pub(crate) async fn tools() -> Result<(), Error> {
    all_of("install what the guides use", TOOLS).await
}

async fn all_of(what: &str, needed: &[Needed]) -> Result<(), Error> {
    let missing = missing(needed, given);
    if missing.is_empty() {
        return Ok(());
    }
    packages(what, &missing).await
}

fn missing(needed: &[Needed], given: impl Fn(&str) -> bool) -> Vec<Needed> {
    let is_missing =
        |(name, programs, _): &&Needed| services::binary(programs).is_none() && !given(name);
    needed.iter().filter(is_missing).copied().collect()
}

async fn packages(what: &str, missing: &[Needed]) -> Result<(), Error> {
    let can_install =
        nix::unistd::Uid::effective().is_root() && services::binary(&["apt-get"]).is_some();
    if !can_install {
        let mut hints: Vec<_> = missing
            .iter()
            .map(|(name, ..)| services::install_hint(name))
            .collect();
        hints.dedup();
        return Err(hints.join("; ").into());
    }
    Step::new("apt-get update", "apt-get")
        .arguments(["update", "-qq"])
        .run()
        .await?;
    Step::new(what, "apt-get")
        .arguments(["install", "--yes", "-qq", "--no-install-recommends"])
        .arguments(missing.iter().map(|(.., package)| *package))
        // A server's package would start it on the standard port: that is not what we want it for.
        .variable("DEBIAN_FRONTEND", "noninteractive")
        .variable("RUNLEVEL", "1")
        .run()
        .await
}

fn container_engine() -> bool {
    let info = Command::new("docker")
        .arg("info")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    info.is_ok_and(|status| status.success())
}
