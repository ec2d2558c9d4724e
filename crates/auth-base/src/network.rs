//! Whose requests are counted together.

use std::net::{IpAddr, Ipv6Addr};

/// The network that an address is counted by: an IPv4 address itself, also where it is written as an IPv6 one
/// (`::ffff:203.0.113.7`), and of an IPv6 address its first 64 bits, since whoever has one has 2^64 of them.
pub fn network_of(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = !0 << 64;
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let network = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(network("2001:db8:0:1:2:3:4:5"), "2001:db8:0:1::");
    }
}
