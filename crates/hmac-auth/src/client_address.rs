//! Where a request came from, proxies considered.

use ipnet::IpNet;

/// The proxies whose `x-forwarded-for` counts. None by default: then only the connection's address does.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Trusts proxies whose address lies in one of `networks`.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The networks.
    pub fn networks(&self) -> &[IpNet] {
        &self.0
    }
}
