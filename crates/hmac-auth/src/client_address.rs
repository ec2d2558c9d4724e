//! Where a request came from, proxies considered (wire contract 1.3, client address).

use std::net::IpAddr;

use ipnet::IpNet;

/// The proxies whose `x-forwarded-for` counts. None by default: then only the connection's address does.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// How many hops of `x-forwarded-for` are read at most, from the right.
const MAX_HOPS: usize = 64;

impl TrustedProxies {
    /// Trusts proxies whose address lies in one of `networks`.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The networks.
    pub fn networks(&self) -> &[IpNet] {
        &self.0
    }

    /// Tells whether `address` is one of the proxies.
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Finds the client's address: the connection's, unless that is a trusted proxy; then the right-most hop of
    /// `forwarded_for` (the header's values, in order) that is not a trusted proxy, or the left-most hop when all are.
    ///
    /// `None` when the address is not known: no connection address, or a hop that is not an address before an untrusted
    /// one was found. The header is never believed from anyone else.
    pub fn client_address<'a>(
        &self,
        peer_address: Option<IpAddr>,
        forwarded_for: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<IpAddr> {
        let mut client = peer_address?.to_canonical();
        if self.0.is_empty() || !self.trust(client) {
            return Some(client);
        }
        let values: Vec<&[u8]> = forwarded_for.into_iter().collect();
        let hops = values
            .iter()
            .rev()
            .flat_map(|value| value.rsplit(|&byte| byte == b','));
        for hop in hops.take(MAX_HOPS) {
            if hop.trim_ascii().is_empty() {
                continue;
            }
            client = parse_address(std::str::from_utf8(hop).ok()?)?;
            if !self.trust(client) {
                break;
            }
        }
        Some(client)
    }
}

/// Reads an address as proxies write it: the first of a comma-separated list, with or without port, brackets or zone.
/// An IPv4 address mapped into IPv6 is the IPv4 address.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    let address: IpAddr = bare_address(text).parse().ok()?;
    Some(address.to_canonical())
}

/// Strips what stands around an address; the rest is left as it was written.
pub(crate) fn bare_address(text: &str) -> &str {
    let text = text.split(',').next().unwrap_or_default().trim();
    let text = without_brackets_or_port(text);
    let text = text.split('%').next().unwrap_or_default();
    without_mapped_prefix(text)
}

fn without_brackets_or_port(text: &str) -> &str {
    if let Some((inner, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let port = rest.strip_prefix(':').unwrap_or(rest);
        let clean = rest.is_empty() || (rest.len() > port.len() && is_digits(port));
        return if clean { inner } else { text };
    }
    match text.split_once(':') {
        Some((address, port)) if address.contains('.') && is_digits(port) => address,
        _ => text,
    }
}

/// However often it stands there: what is left is left as it is when it is read again.
fn without_mapped_prefix(mut text: &str) -> &str {
    const PREFIX: &str = "::ffff:";
    while let Some((prefix, rest)) = text.split_at_checked(PREFIX.len())
        && prefix.eq_ignore_ascii_case(PREFIX)
        && rest.contains('.')
    {
        text = rest;
    }
    text
}

pub(crate) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(proxies: &[&str], peer: Option<&str>, forwarded_for: &[&str]) -> Option<String> {
        let proxies = TrustedProxies::new(proxies.iter().map(|p| p.parse().unwrap()).collect());
        proxies
            .client_address(
                peer.map(|p| p.parse().unwrap()),
                forwarded_for.iter().map(|v| v.as_bytes()),
            )
            .map(|address| address.to_string())
    }

    #[test]
    fn without_trusted_proxies_only_the_connection_counts() {
        assert_eq!(
            client(&[], Some("9.9.9.9"), &["1.1.1.1"]).unwrap(),
            "9.9.9.9"
        );
        assert_eq!(client(&[], Some("::ffff:9.9.9.9"), &[]).unwrap(), "9.9.9.9");
        assert_eq!(client(&[], None, &["1.1.1.1"]), None);
    }

    #[test]
    fn an_untrusted_connection_cannot_name_its_address() {
        assert_eq!(
            client(&["10.0.0.0/8"], Some("9.9.9.9"), &["1.1.1.1"]).unwrap(),
            "9.9.9.9"
        );
    }

    #[test]
    fn the_right_most_untrusted_hop_is_the_client() {
        let proxies = &["10.0.0.0/8"];
        for (forwarded_for, expected) in [
            (&["6.6.6.6, 1.1.1.1"][..], "1.1.1.1"),
            (&["6.6.6.6, 1.1.1.1, 10.0.0.7"], "1.1.1.1"),
            (&["6.6.6.6", "1.1.1.1", "10.0.0.7 ,10.1.0.1"], "1.1.1.1"),
            (&["nonsense, 1.1.1.1:4711"], "1.1.1.1"),
            (&["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
            (&["[2001:db8::1]:80"], "2001:db8::1"),
            (&[""], "10.0.0.1"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(
                client(proxies, Some("10.0.0.1"), forwarded_for).as_deref(),
                Some(expected),
                "{forwarded_for:?}"
            );
        }
        assert_eq!(
            client(proxies, Some("10.0.0.1"), &["1.1.1.1, unknown"]),
            None
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(values: Vec<Vec<u8>>, text: String) {
            let proxies = TrustedProxies::new(vec!["0.0.0.0/0".parse().unwrap()]);
            let peer = Some("10.0.0.1".parse().unwrap());
            proxies.client_address(peer, values.iter().map(Vec::as_slice));
            parse_address(&text);
        }
    }
}
