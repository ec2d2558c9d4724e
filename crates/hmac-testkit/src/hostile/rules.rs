//! Allow-lists, and the addresses that are compared with them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::client_address::{TrustedProxies, parse_address};
use ipnet::IpNet;

/// Takes rules, a line each. Strict and lenient parsing agree; what a list is stored as means the same when it is read; and a
/// list lets in exactly the addresses that `ipnet` finds in its networks. Every line is also read as an address and as a
/// chain of proxies.
///
/// # Panics
/// Where that does not hold.
pub fn rules(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.split('\n').collect();
    let lenient = AllowedIps::parse_lenient(&lines);
    let good = lines
        .iter()
        .filter(|line| AllowedIps::parse([line]).is_ok())
        .count();
    match AllowedIps::parse(&lines) {
        Ok(strict) => {
            assert_eq!(good, lines.len(), "strict took a bad rule");
            assert_eq!(strict, lenient, "strict and lenient differ");
        }
        Err(error) => {
            assert!(good < lines.len(), "strict refused good rules");
            assert!(
                lines.contains(&error.rule.as_str()),
                "the rule that was refused"
            );
        }
    }
    assert_eq!(lenient.denies_everyone(), good == 0);

    let stored = AllowedIps::parse_lenient(lenient.stored_entries());
    assert_eq!(stored.rules(), lenient.rules());
    assert_eq!(
        AllowedIps::parse(lenient.rules())
            .ok()
            .as_ref()
            .map(AllowedIps::rules),
        Some(lenient.rules())
    );
    let networks: Vec<IpNet> = lenient
        .rules()
        .iter()
        .filter_map(|rule| network(rule))
        .collect();
    assert_eq!(
        networks.len(),
        lenient.rules().len(),
        "a rule in normal form is a network"
    );

    let addresses = lines.iter().filter_map(|line| address(line)).take(64);
    for address in addresses.chain(edges(&networks)) {
        let expected = networks.iter().any(|network| contains(*network, address));
        assert_eq!(
            lenient.allow(address),
            expected,
            "{address} in {networks:?}"
        );
        assert_eq!(
            stored.allow(address),
            expected,
            "{address} in {networks:?}, stored"
        );
    }
}

/// Reads a line as a proxy's address would be, alone and at the end of a chain.
fn address(line: &str) -> Option<IpAddr> {
    let address = parse_address(line);
    if let Some(address) = address {
        assert_eq!(
            parse_address(&address.to_string()),
            Some(address),
            "{line:?} a second time"
        );
    }
    let proxy = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let proxies = TrustedProxies::new(vec![IpNet::from(proxy)]);
    let client = proxies.client_address(Some(proxy), [line.as_bytes()]);
    if let (Some(address), false) = (address, line.contains(',')) {
        assert_eq!(client, Some(address), "{line:?} as x-forwarded-for");
    }
    let stranger = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    assert_eq!(
        proxies.client_address(Some(stranger), [line.as_bytes()]),
        Some(stranger)
    );
    address
}

/// The first and last address of each network, and those just outside.
fn edges(networks: &[IpNet]) -> impl Iterator<Item = IpAddr> {
    let neighbours = |network: &IpNet| match network {
        IpNet::V4(network) => {
            let (first, last) = (network.network().to_bits(), network.broadcast().to_bits());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| Ipv4Addr::from_bits(bits).into())
        }
        IpNet::V6(network) => {
            let (first, last) = (network.network().to_bits(), network.broadcast().to_bits());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| Ipv6Addr::from_bits(bits).into())
        }
    };
    networks.iter().take(32).flat_map(neighbours)
}

fn network(rule: &str) -> Option<IpNet> {
    rule.parse()
        .ok()
        .or_else(|| rule.parse().ok().map(|address: IpAddr| address.into()))
}

/// Compares in IPv6, into which both are mapped, so that a block of mapped addresses is one of IPv4 addresses.
fn contains(network: IpNet, address: IpAddr) -> bool {
    let wide = |address: IpAddr| match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    };
    let length = network.prefix_len()
        + if matches!(network, IpNet::V4(_)) {
            96
        } else {
            0
        };
    // A block wider than all mapped addresses stays one of IPv6 addresses.
    let is_mapped = address.to_canonical().is_ipv4();
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    (length >= 96 || !is_mapped) && (wide(network.addr()) ^ wide(address)) & mask == 0
}
