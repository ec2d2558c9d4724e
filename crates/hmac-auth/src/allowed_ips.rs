//! Allow-lists: where a client's requests may come from (wire contract 1.3, checks 9 and 10).

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::client_address::{bare_address, is_digits};

/// A list of IP and CIDR rules in the order written, without repetitions. Empty is everywhere.
///
/// Rules are parsed once, when the list is made; a request is only compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedIps {
    rules: Vec<String>,
    networks: Vec<IpNet>,
    /// What a stored list had instead of rules; kept so that a list without one good rule denies, now and after it was
    /// written back.
    unparsable: Vec<String>,
}

/// A rule that is neither an IP address nor a CIDR block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Invalid allowedIps entry '{rule}'. Expected IP or CIDR (example: 195.7.8.9 or 195.7.8.0/24)."
)]
pub struct InvalidRule {
    /// The rule as it was given.
    pub rule: String,
}

impl AllowedIps {
    /// Parses rules strictly, as they are when written: one bad rule refuses the list.
    ///
    /// # Errors
    /// [`InvalidRule`] names the first rule that is neither.
    pub fn parse<S: AsRef<str>>(rules: impl IntoIterator<Item = S>) -> Result<Self, InvalidRule> {
        let (mut list, mut known) = (Self::default(), HashSet::new());
        for rule in rules {
            if !list.add(rule.as_ref(), &mut known) {
                return Err(InvalidRule {
                    rule: rule.as_ref().to_owned(),
                });
            }
        }
        Ok(list)
    }

    /// Parses rules leniently, as they are when read from a store: bad ones are passed over. A list that has entries and
    /// not one good rule allows nobody ([`Self::denies_everyone`]), where the original lets everyone in.
    pub fn parse_lenient<S: AsRef<str>>(rules: impl IntoIterator<Item = S>) -> Self {
        let (mut list, mut known) = (Self::default(), HashSet::new());
        for rule in rules {
            if !list.add(rule.as_ref(), &mut known) {
                list.unparsable.push(rule.as_ref().to_owned());
            }
        }
        list
    }

    /// The rules in normal form.
    pub fn rules(&self) -> &[String] {
        &self.rules
    }

    /// What a store must write for this list to mean the same when read again: the rules, or, for a list that denies
    /// everyone, the entries that were no rules.
    pub fn stored_entries(&self) -> &[String] {
        if self.rules.is_empty() {
            &self.unparsable
        } else {
            &self.rules
        }
    }

    /// Tells whether the list restricts nothing.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.unparsable.is_empty()
    }

    /// Tells whether the list had entries that are no rules. Whoever passes on its rules alone passes on another list.
    pub fn has_unreadable(&self) -> bool {
        !self.unparsable.is_empty()
    }

    /// Tells whether the list had entries and none of them was a rule.
    pub fn denies_everyone(&self) -> bool {
        self.rules.is_empty() && !self.unparsable.is_empty()
    }

    /// Tells whether `address` may come in: always for an empty list, else when a rule matches. An IPv4 address mapped
    /// into IPv6 is the IPv4 address.
    pub fn allow(&self, address: IpAddr) -> bool {
        if self.is_empty() {
            return true;
        }
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Adds a rule that is not `known`: an event brings tens of thousands, too many to compare each with all.
    fn add(&mut self, rule: &str, known: &mut HashSet<String>) -> bool {
        let Some((text, network)) = parse_rule(rule) else {
            return false;
        };
        if known.insert(text.clone()) {
            self.rules.push(text);
            self.networks.push(network);
        }
        true
    }
}

/// Reads one rule: its normal form and what it matches. What follows a second slash is ignored, as in the original.
fn parse_rule(rule: &str) -> Option<(String, IpNet)> {
    let mut parts = rule.trim().split('/');
    let text = bare_address(parts.next()?);
    let address: IpAddr = text.parse().ok()?;
    let Some(prefix) = parts.next() else {
        return Some((text.to_owned(), canonical(IpNet::from(address))));
    };
    if !is_digits(prefix) {
        return None;
    }
    let prefix: u8 = prefix.parse().ok()?;
    let network = IpNet::new(address, prefix).ok()?;
    Some((format!("{text}/{prefix}"), canonical(network)))
}

/// A block of IPv4 addresses mapped into IPv6 is a block of IPv4 addresses.
fn canonical(network: IpNet) -> IpNet {
    match (
        network.addr().to_canonical(),
        network.prefix_len().checked_sub(96),
    ) {
        (address @ IpAddr::V4(_), Some(prefix)) if matches!(network, IpNet::V6(_)) => {
            IpNet::new(address, prefix).unwrap_or(network)
        }
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_of_unparsable_rules_denies_everyone() {
        let list = AllowedIps::parse_lenient(["localhost", "10.0.0"]);
        assert!(list.denies_everyone());
        assert!(!list.is_empty());
        assert!(list.rules().is_empty());
        assert!(!list.allow("10.0.0.1".parse().unwrap()));
        assert_eq!(AllowedIps::parse_lenient(list.stored_entries()), list);
    }

    #[test]
    fn mapped_rules_match_the_ipv4_address() {
        for rule in [
            "::ffff:0a00:0001",
            "::FFFF:10.0.0.1",
            "::ffff:0a00:0000/104",
        ] {
            let list = AllowedIps::parse([rule]).unwrap();
            assert!(list.allow("10.0.0.1".parse().unwrap()), "{rule}");
            assert!(list.allow("::ffff:10.0.0.1".parse().unwrap()), "{rule}");
            assert!(!list.allow("11.0.0.1".parse().unwrap()), "{rule}");
        }
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address_however_often_it_is_said() {
        let list = AllowedIps::parse(["::ffff:::FFFF:10.0.0.1", "10.0.0.1"]).unwrap();
        assert_eq!(list.rules(), ["10.0.0.1"]);
        assert_eq!(AllowedIps::parse(list.rules()).unwrap(), list);
    }

    proptest! {
        #[test]
        fn any_text_is_a_rule_or_an_error(rules: Vec<String>) {
            let strict = AllowedIps::parse(&rules);
            let lenient = AllowedIps::parse_lenient(&rules);
            prop_assert_eq!(strict.is_ok(), lenient.unparsable.is_empty());
        }

        #[test]
        fn the_normal_form_is_stable(rule in "[0-9a-fA-F:./%,\\[\\] ]{0,24}") {
            if let Ok(list) = AllowedIps::parse([&rule]) {
                prop_assert_eq!(AllowedIps::parse(list.rules()).unwrap(), list);
            }
        }

        #[test]
        fn a_block_matches_by_its_bits(base: u32, address: u32, prefix in 0u8..=32) {
            let text = format!("{}/{prefix}", std::net::Ipv4Addr::from(base));
            let list = AllowedIps::parse([text]).unwrap();
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            prop_assert_eq!(list.allow(IpAddr::V4(address.into())), base & mask == address & mask);
        }
    }
}
