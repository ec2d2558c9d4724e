//! `gateway proxy`.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use mesh_api::permission::Role;
use mesh_management::edge::{Hosts, host_name};

use crate::keys;
use crate::proxy::{LocalOperator, Proxy, Settings, Upstream};

/// Why the proxy ends.
type Failure = Box<dyn std::error::Error>;

#[derive(Args)]
pub(super) struct Serve {
    /// Where the keys are.
    #[arg(long, env = "GATEWAY_DIR", default_value = "gateway-keys")]
    dir: PathBuf,
    /// What whoever uses it may do: viewer, operator or admin.
    #[arg(long)]
    role: Role,
    /// Whose name is in the peers' logs.
    #[arg(long, default_value = "local-operator")]
    subject: String,
    /// A peer, as NAME=http://HOST:PORT. The first has its dashboard at the first --listen, and so on; all are managed
    /// below /api/v1/peers/NAME/.
    #[arg(long = "upstream", value_name = "NAME=URL", required = true)]
    upstreams: Vec<Upstream>,
    /// Where a dashboard is shown: an address of this machine alone.
    #[arg(
        long = "listen",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:3100"
    )]
    listens: Vec<SocketAddr>,
    /// Where /livez and /readyz of the gateway itself are answered; nowhere unless given.
    #[arg(long, value_name = "ADDRESS")]
    probes: Option<SocketAddr>,
    /// A name that it answers to, besides localhost and addresses.
    #[arg(long = "host", value_name = "NAME", value_parser = name)]
    hosts: Vec<String>,
    /// How often one address may ask.
    #[arg(long, default_value_t = Settings::REQUESTS_PER_SECOND)]
    requests_per_second: NonZeroU32,
}

fn name(text: &str) -> Result<String, String> {
    host_name(text).ok_or_else(|| "is no name of a host, without a port".to_owned())
}

impl Serve {
    /// Serves until SIGTERM or SIGINT. The addresses go to standard output, one a line, and the log to standard error.
    pub(super) fn run(self) -> Result<(), Failure> {
        tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .init();
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.enable_all().build()?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> Result<(), Failure> {
        let who = LocalOperator::new(self.role, self.subject, &self.listens)?;
        let signer = Arc::new(keys::load(&self.dir)?);
        let settings = Settings {
            probes: self.probes,
            hosts: Hosts::only(self.hosts),
            requests_per_second: self.requests_per_second,
            ..Settings::new(self.upstreams, self.listens)
        };
        let proxy = Proxy::bind(settings, Arc::new(who), signer).await?;
        proxy.stop().on_signals()?;
        let mut lines = String::new();
        let probes = proxy.probes().map(|address| ("probes".to_owned(), address));
        for (name, address) in proxy.dashboards().iter().cloned().chain(probes) {
            lines.push_str(&format!("{name} http://{address}\n"));
        }
        {
            let mut output = std::io::stdout().lock();
            output.write_all(lines.as_bytes())?;
            output.flush()?;
        }
        Ok(proxy.run_until_stopped().await?)
    }
}
