//! The whole proxy: what the command, `cargo demo` and the tests start alike.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use futures_util::future::BoxFuture;
use hmac_auth::client_address::TrustedProxies;
use jwt_auth::Signer;
use mesh_management::edge::Hosts;
use peer_kit::application::{ApplicationError, listen};
use peer_kit::shutdown::Stop;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Metrics;
use crate::proxy::arrival::OwnRoutes;
use crate::proxy::change::ChangeLog;
use crate::proxy::cors;
use crate::proxy::flood::Flood;
use crate::proxy::forward::{Forwarder, Limits};
use crate::proxy::head::{Edge, Origin};
use crate::proxy::mint::Mint;
use crate::proxy::pipeline::{Entry, Shared, handle};
use crate::proxy::probes;
use crate::proxy::routing::{InvalidUpstream, Upstream, Upstreams};
use crate::proxy::who::Who;

/// What the proxy is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The peers behind it. The first has its pages at the first of `listens`, and so on; those without a listener are
    /// managed by name.
    pub upstreams: Vec<Upstream>,
    /// Where it listens, one for each dashboard.
    pub listens: Vec<SocketAddr>,
    /// Where it answers `/livez` and `/readyz`, if it shall.
    pub probes: Option<SocketAddr>,
    /// The names that it answers to.
    pub hosts: Hosts,
    /// The proxies before it.
    pub proxies: TrustedProxies,
    /// How often one address may ask.
    pub requests_per_second: NonZeroU32,
    /// The origins whose pages may ask, besides the gateway's own.
    pub origins: Vec<Origin>,
    /// How long it waits.
    pub limits: Limits,
}

impl Settings {
    /// So many requests of one address a second, where nothing is said: more than a page and its files need.
    pub const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

    /// Shows the dashboards of `upstreams` at `listens`, and answers to `localhost` and to addresses.
    pub fn new(upstreams: Vec<Upstream>, listens: Vec<SocketAddr>) -> Self {
        Self {
            upstreams,
            listens,
            probes: None,
            hosts: Hosts::only([]),
            proxies: TrustedProxies::default(),
            requests_per_second: Self::REQUESTS_PER_SECOND,
            origins: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// The proxy could not start or not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// A listener without a peer shows nothing.
    #[error("there are {listens} addresses to listen on, and {upstreams} upstreams")]
    Listens {
        /// How many listeners.
        listens: usize,
        /// How many peers.
        upstreams: usize,
    },
    /// Two peers have one name.
    #[error("an upstream {0}")]
    Upstream(#[from] InvalidUpstream),
    /// A port is taken.
    #[error(transparent)]
    Listen(#[from] ApplicationError),
    /// Serving failed.
    #[error("serving failed")]
    Serve(#[from] io::Error),
}

/// A proxy that listens, and does not serve yet.
pub struct Proxy {
    shared: Arc<Shared>,
    listeners: Vec<(TcpListener, Router)>,
    dashboards: Vec<(String, SocketAddr)>,
    probes: Option<SocketAddr>,
    last: Option<Last>,
    stop: Stop,
}

/// What goes on beside the proxy until the token is cancelled, and then ends what it has begun, within a second or so.
pub(crate) type Last = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// Whoever gets in, and what belongs to it.
pub(crate) struct Entrance {
    pub(crate) who: Arc<dyn Who>,
    /// What the gateway answers itself.
    pub(crate) own: Option<OwnRoutes>,
    /// Where changes are written down.
    pub(crate) changes: Option<Arc<dyn ChangeLog>>,
    pub(crate) last: Option<Last>,
    /// Whether pages come over TLS.
    pub(crate) is_secure: bool,
    pub(crate) metrics: Arc<Metrics>,
}

impl Proxy {
    /// Listens. `who` tells who calls, and the key of `signer` signs the tokens that peers read.
    ///
    /// # Errors
    /// When a port is taken, a listener has no peer, or two peers have one name.
    pub async fn bind(
        settings: Settings,
        who: Arc<dyn Who>,
        signer: Arc<dyn Signer>,
    ) -> Result<Self, ProxyError> {
        let entrance = Entrance {
            who,
            own: None,
            changes: None,
            last: None,
            is_secure: false,
            metrics: Arc::new(Metrics::new()),
        };
        Self::behind(settings, entrance, signer).await
    }

    /// Listens, for whoever an entrance lets in; else as [`Self::bind`].
    ///
    /// # Errors
    /// Those of [`Self::bind`].
    pub(crate) async fn behind(
        settings: Settings,
        entrance: Entrance,
        signer: Arc<dyn Signer>,
    ) -> Result<Self, ProxyError> {
        let (listens, upstreams) = (settings.listens.len(), settings.upstreams.len());
        if listens > upstreams || listens == 0 {
            return Err(ProxyError::Listens { listens, upstreams });
        }
        let stop = Stop::default();
        let dashboards = settings.upstreams.iter().cloned().map(Arc::new);
        let dashboards: Vec<_> = dashboards.take(listens).collect();
        let shared = Arc::new(Shared {
            edge: Edge {
                hosts: settings.hosts,
                proxies: settings.proxies,
                origins: settings.origins.clone(),
            },
            flood: Flood::new(settings.requests_per_second),
            upstreams: Upstreams::new(settings.upstreams)?,
            who: entrance.who,
            own: entrance.own,
            changes: entrance.changes,
            is_secure: entrance.is_secure,
            metrics: Arc::clone(&entrance.metrics),
            mint: Mint::new(signer),
            forwarder: Forwarder::new(&settings.limits),
            limits: settings.limits,
            tunnels: TaskTracker::new(),
            stop: stop.token(),
        });
        let mut proxy = Self {
            shared,
            listeners: Vec::new(),
            dashboards: Vec::new(),
            probes: None,
            last: entrance.last,
            stop,
        };
        for (dashboard, address) in dashboards.into_iter().zip(settings.listens) {
            let name = dashboard.name.clone();
            let entry = Entry {
                shared: Arc::clone(&proxy.shared),
                dashboard,
            };
            let router = Router::new().fallback(handle).with_state(entry);
            let router = cors::allow(router, &settings.origins);
            let address = proxy.listen(address, router).await?;
            proxy.dashboards.push((name, address));
        }
        if let Some(address) = settings.probes {
            let router = probes::router(proxy.stop.token(), entrance.metrics);
            proxy.probes = Some(proxy.listen(address, router).await?);
        }
        Ok(proxy)
    }

    async fn listen(
        &mut self,
        address: SocketAddr,
        router: Router,
    ) -> Result<SocketAddr, ProxyError> {
        let listener = listen(address).await?;
        let address = listener.local_addr()?;
        self.listeners.push((listener, router));
        Ok(address)
    }

    /// The peers whose pages it shows, and where.
    pub fn dashboards(&self) -> &[(String, SocketAddr)] {
        &self.dashboards
    }

    /// Where it answers probes.
    pub fn probes(&self) -> Option<SocketAddr> {
        self.probes
    }

    /// What asks it to stop.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Serves until it is asked to stop. Streams of events and WebSockets end then, other answers are finished, within
    /// [`Limits::stop`].
    ///
    /// # Errors
    /// [`ProxyError::Serve`].
    pub async fn run_until_stopped(self) -> Result<(), ProxyError> {
        let Self {
            shared,
            listeners,
            stop,
            last,
            ..
        } = self;
        let written = CancellationToken::new();
        let writing = last.map(|last| tokio::spawn(last(written.clone())));
        let mut serving = JoinSet::new();
        for (listener, router) in listeners {
            let stopped = stop.token().cancelled_owned();
            serving.spawn(axum_serve::serve(listener, router, stopped));
        }
        let overdue = async {
            stop.asked().await;
            sleep(shared.limits.stop).await;
        };
        let all = async {
            while let Some(served) = serving.join_next().await {
                served.map_err(io::Error::other)??;
            }
            shared.tunnels.close();
            shared.tunnels.wait().await;
            Ok(())
        };
        let served = tokio::select! {
            served = all => served,
            () = overdue => {
                tracing::warn!("open requests are cut off");
                Ok(())
            }
        };
        written.cancel();
        if let Some(writing) = writing {
            writing.await.map_err(io::Error::other)?;
        }
        served
    }
}
