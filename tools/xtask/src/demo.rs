//! `cargo demo`, after `tools/demo` has built everything: installs what is missing, writes the bundle, and runs the mesh.

use std::os::unix::process::CommandExt;
use std::process::Command;

use services::output::say;

use crate::error::Error;
use crate::{dashboard, install};

/// What the peers stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Services {
    /// In the demo's own process: nothing to install.
    Embedded,
    /// RabbitMQ, MariaDB and Redis as native programs of this machine.
    Local,
    /// The same in containers.
    Docker,
}

/// Options of `cargo demo`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What the peers stand on.
    #[arg(long, value_enum, default_value = "embedded")]
    services: Services,
    /// Use free ports instead of 3001 to 3004.
    #[arg(long)]
    free_ports: bool,
    /// Nobody signs in: whoever reaches the ports, which are this machine's, may do everything.
    #[arg(long)]
    open: bool,
    /// Bring the mesh up, try what is printed, and stop.
    #[arg(long)]
    check: bool,
}

/// Runs the mesh until Ctrl-C.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let services = match options.services {
        Services::Embedded => "embedded",
        Services::Local => "local",
        Services::Docker => "docker",
    };
    if options.services == Services::Local {
        install::servers(install::given).await?;
    }
    dashboard::build().await?;
    let mut mesh = Command::new(std::env::current_exe()?.with_file_name("mesh"));
    mesh.args(["--services", services]);
    if options.services == Services::Docker {
        mesh.env("HMAC_MESH_CONTAINERS", "1");
    }
    for (flag, asked) in [
        ("--free-ports", options.free_ports),
        ("--open", options.open),
        ("--check", options.check),
    ] {
        if asked {
            mesh.arg(flag);
        }
    }
    // The mesh takes this process' place: Ctrl-C and its exit status are its own.
    say("")?;
    Err(format!("the mesh cannot be run: {}", mesh.exec()).into())
}
