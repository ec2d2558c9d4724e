//! What the command line asks for.

use std::path::PathBuf;

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

/// Who may use management, pages and metrics of the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManagementAuth {
    /// Everybody who reaches the ports, which are this machine's.
    Open,
    /// The same.
    OpenToTheNetwork,
    /// Whoever bears a token.
    Tokens,
}

/// Runs the four peers of the mesh in one process, until Ctrl-C.
#[derive(Parser)]
pub(crate) struct Options {
    /// What the peers stand on.
    #[arg(long, value_enum, default_value = "embedded")]
    pub(crate) services: Services,
    /// Who may use management, pages and metrics.
    #[arg(long, env, value_enum, default_value = "tokens")]
    management_auth: ManagementAuth,
    /// Nobody signs in: whoever reaches the ports, which are this machine's, may do everything.
    #[arg(long)]
    open: bool,
    /// Where the gateway's keys are, or shall be made; in a folder of this run unless given.
    #[arg(long, env)]
    pub(crate) gateway_dir: Option<PathBuf>,
    /// Use free ports instead of 3001 to 3004.
    #[arg(long)]
    pub(crate) free_ports: bool,
    /// Bring the mesh up, take the printed tour, stop a peer and start it again, and end.
    #[arg(long)]
    pub(crate) check: bool,
}

impl Options {
    /// Whether the peers ask for tokens, and people sign in.
    pub(crate) fn asks(&self) -> bool {
        !self.open && self.management_auth == ManagementAuth::Tokens
    }
}
