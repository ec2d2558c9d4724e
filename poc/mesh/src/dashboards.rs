//! The dashboards in a browser, where the peers ask for tokens: the gateway's proxy, in this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use gateway::proxy::{LocalOperator, Proxy, ProxyError, Settings, Upstream};
use mesh_api::permission::Role;
use peer_kit::shutdown::Stop;
use tokio::task::JoinHandle;

use crate::options::Error;
use crate::peers::Peers;

/// The peers with pages, and where they are shown unless free ports are asked for.
const SHOWN: [(&str, u16); 2] = [("leptos-axum", 3100), ("leptos-actix", 3101)];

/// Whoever uses this machine is this one.
pub(crate) const ROLE: Role = Role::Operator;

/// The proxy, as long as it runs.
pub(crate) struct Dashboards {
    addresses: Vec<(String, SocketAddr)>,
    stop: Stop,
    task: JoinHandle<Result<(), ProxyError>>,
}

impl Dashboards {
    /// Starts the proxy, if the peers ask for tokens.
    pub(crate) async fn start(peers: &Peers, free_ports: bool) -> Result<Option<Self>, Error> {
        let Some(tokens) = peers.tokens() else {
            return Ok(None);
        };
        let place = |name: &str| SHOWN.iter().position(|(shown, _)| *shown == name);
        let mut upstreams = Vec::new();
        for (peer, url) in peers.urls() {
            let upstream: Upstream = format!("{}={url}", peer.name).parse()?;
            upstreams.push(upstream);
        }
        // Those with pages come first.
        upstreams.sort_by_key(|upstream| place(&upstream.name).unwrap_or(SHOWN.len()));
        let ports = SHOWN.map(|(_, port)| if free_ports { 0 } else { port });
        let listens = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let who = LocalOperator::new(ROLE, "demo", &listens)?;
        let settings = Settings::new(upstreams, listens.to_vec());
        let proxy = Proxy::bind(settings, Arc::new(who), tokens.signer()).await?;
        Ok(Some(Self {
            addresses: proxy.dashboards().to_vec(),
            stop: proxy.stop(),
            task: tokio::spawn(proxy.run_until_stopped()),
        }))
    }

    /// Which peers it shows, and where.
    pub(crate) fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Ends it, within its own bound.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        self.stop.ask();
        Ok(self.task.await??)
    }
}
