//! What `gateway proxy` and `gateway serve` are both told.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use hmac_auth::client_address::TrustedProxies;
use ipnet::IpNet;
use mesh_management::edge::{Hosts, host_name};

use crate::proxy::{Proxy, Settings, Upstream};

/// Why the proxy ends.
pub(super) type Failure = Box<dyn std::error::Error>;

#[derive(Args)]
pub(super) struct Places {
    /// Where the keys are.
    #[arg(long, env = "GATEWAY_DIR", default_value = "gateway-keys")]
    pub(super) dir: PathBuf,
    /// A peer, as NAME=http://HOST:PORT. The first has its dashboard at the first --listen, and so on; all are managed
    /// below /api/v1/peers/NAME/.
    #[arg(long = "upstream", value_name = "NAME=URL", required = true)]
    upstreams: Vec<Upstream>,
    /// Where a dashboard is shown.
    #[arg(
        long = "listen",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:3100"
    )]
    pub(super) listens: Vec<SocketAddr>,
    /// Where /livez, /readyz and /metrics of the gateway itself are answered; nowhere unless given.
    #[arg(long, value_name = "ADDRESS")]
    probes: Option<SocketAddr>,
    /// A name that it answers to, besides localhost and addresses.
    #[arg(long = "host", value_name = "NAME", value_parser = name)]
    hosts: Vec<String>,
    /// A network of proxies whose X-Forwarded-For counts, as 10.0.0.0/8: those that end TLS before it.
    #[arg(
        long = "trusted-proxy",
        env = "TRUSTED_PROXIES",
        value_name = "NETWORK",
        value_delimiter = ','
    )]
    proxies: Vec<IpNet>,
    /// How often one address may ask.
    #[arg(long, default_value_t = Settings::REQUESTS_PER_SECOND)]
    requests_per_second: NonZeroU32,
}

fn name(text: &str) -> Result<String, String> {
    host_name(text).ok_or_else(|| "is no name of a host, without a port".to_owned())
}

impl Places {
    /// Whether there are proxies that are believed.
    pub(super) fn has_proxies(&self) -> bool {
        !self.proxies.is_empty()
    }

    /// The same as settings; `names` are names that it answers to as well.
    pub(super) fn settings(self, names: impl IntoIterator<Item = String>) -> Settings {
        Settings {
            probes: self.probes,
            hosts: Hosts::only(self.hosts.into_iter().chain(names)),
            requests_per_second: self.requests_per_second,
            proxies: TrustedProxies::new(self.proxies),
            ..Settings::new(self.upstreams, self.listens)
        }
    }
}

/// Runs until SIGTERM or SIGINT. The addresses go to standard output, one a line, and the log to standard error.
pub(super) fn run(serving: impl Future<Output = Result<Proxy, Failure>>) -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.enable_all().build()?;
    runtime.block_on(async {
        let proxy = serving.await?;
        proxy.stop().on_signals()?;
        tell(&proxy)?;
        Ok(proxy.run_until_stopped().await?)
    })
}

fn tell(proxy: &Proxy) -> std::io::Result<()> {
    let mut lines = String::new();
    let probes = proxy.probes().map(|address| ("probes".to_owned(), address));
    for (name, address) in proxy.dashboards().iter().cloned().chain(probes) {
        lines.push_str(&format!("{name} http://{address}\n"));
    }
    let mut output = std::io::stdout().lock();
    output.write_all(lines.as_bytes())?;
    output.flush()
}
