//! Servers in containers, where no native binary is found.

use std::process::{Command, Stdio};

use crate::environment;

/// Tells whether containers are asked for although there may be native binaries.
pub(crate) fn preferred() -> bool {
    environment::variable("HMAC_MESH_CONTAINERS").as_deref() == Some("1")
}

/// Tells whether a container engine answers.
pub(crate) fn available() -> bool {
    let info = Command::new("docker").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
    info.is_ok_and(|status| status.success())
}

/// The command that runs an image in the foreground, removed when it ends. `ports`: (ours, the container's).
pub(crate) fn command(
    name: &str,
    image: &str,
    ports: &[(u16, u16)],
    variables: &[&str],
    arguments: &[&str],
) -> Vec<String> {
    let mut command: Vec<String> =
        ["docker", "run", "--rm", "--init", "--name", name].map(str::to_owned).to_vec();
    for (ours, theirs) in ports {
        command.extend(["--publish".to_owned(), format!("127.0.0.1:{ours}:{theirs}")]);
    }
    for variable in variables {
        command.extend(["--env".to_owned(), (*variable).to_owned()]);
    }
    command.push(image.to_owned());
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    command
}

/// A container that is removed when this is dropped.
pub(crate) struct Container {
    /// Its name.
    pub(crate) name: String,
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["rm", "--force", "--volumes", &self.name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}
