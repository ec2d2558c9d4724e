//! Servers that are missing: `apt-get` when we are root on Debian or Ubuntu, else one line that says what to install.

use std::process::{Command, Stdio};

use crate::Error;
use crate::step::Step;

/// A server, the programs that show that it is here, and its Debian package.
const SERVERS: [(&str, &[&str], &str); 3] = [
    ("redis", &["redis-server"], "redis-server"),
    ("mariadb", &["mariadbd", "mysqld"], "mariadb-server"),
    ("rabbitmq", &["rabbitmq-server"], "rabbitmq-server"),
];

/// Makes sure that every server can be started; `given` tells which have an address already.
pub(crate) async fn servers(given: impl Fn(&str) -> bool) -> Result<(), Error> {
    let missing: Vec<_> = SERVERS
        .iter()
        .filter(|(name, programs, _)| services::binary(programs).is_none() && !given(name))
        .collect();
    if missing.is_empty() || container_engine() {
        return Ok(());
    }
    let can_install = nix::unistd::Uid::effective().is_root() && services::binary(&["apt-get"]).is_some();
    if !can_install {
        let hints: Vec<_> = missing.iter().map(|(name, ..)| services::install_hint(name)).collect();
        return Err(hints.join("; ").into());
    }
    let packages: Vec<&str> = missing.iter().map(|(_, _, package)| *package).collect();
    Step::new("apt-get update", "apt-get").arguments(["update", "-qq"]).run().await?;
    Step::new("install the missing servers", "apt-get")
        .arguments(["install", "--yes", "-qq", "--no-install-recommends"])
        .arguments(packages)
        // The package would start a server on the standard port: that is not what we want it for.
        .variable("DEBIAN_FRONTEND", "noninteractive")
        .variable("RUNLEVEL", "1")
        .run()
        .await
}

fn container_engine() -> bool {
    let info = Command::new("docker").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
    info.is_ok_and(|status| status.success())
}
