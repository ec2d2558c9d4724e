//! What the command line asks for.

use clap::{Parser, ValueEnum};

/// Why the mesh ends.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// What the peers stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Services {
    /// In this process: nothing to install.
    Embedded,
    /// RabbitMQ, MariaDB and Redis as native programs of this machine, private to this run.
    Local,
    /// The same in containers.
    Docker,
}

/// Runs the four peers of the mesh in one process, until Ctrl-C.
#[derive(Parser)]
pub(crate) struct Options {
    /// What the peers stand on.
    #[arg(long, value_enum, default_value = "embedded")]
    pub(crate) services: Services,
    /// Use free ports instead of 3001 to 3004.
    #[arg(long)]
    pub(crate) free_ports: bool,
    /// Bring the mesh up, take the printed tour, stop a peer and start it again, and end.
    #[arg(long)]
    pub(crate) check: bool,
}
