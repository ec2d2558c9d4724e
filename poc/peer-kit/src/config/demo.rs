//! The demo's secrets, which everybody knows: they are marked, so that none of them guards a real mesh by accident.

use std::net::IpAddr;

/// Every secret of the demo holds this text.
pub const MARK: &str = "demo-only-";

/// What the mark looks like at the start of a key in base64.
const MARK_OF_KEYS: &str = "ZGVtby1vbmx5";

/// What is wrong with such a secret.
pub(crate) const PROBLEM: &str = "is a secret of the demo, which everybody knows, and BIND, the broker or a store is not this \
     machine alone";

/// What would be right.
pub(crate) const EXPECTED: &str =
    "a secret of your own (openssl rand -base64 32), or DEMO=true where it is a demo";

/// Tells whether a value holds a secret of the demo.
pub(crate) fn is_in(value: &str) -> bool {
    value.contains(MARK) || value.contains(MARK_OF_KEYS)
}

/// Tells whether a server's host is this machine.
pub(crate) fn is_here(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_key_of_the_demo_is_seen_in_base64() {
        assert!(is_in(&STANDARD.encode("demo-only-key-of-thirty-two-byte")));
        assert!(is_in("authority=demo-only-a,consumer=b"));
        assert!(!is_in(&STANDARD.encode([1; 32])));
        assert!(!is_in("a demo"));
    }

    #[test]
    fn this_machine_has_a_name_and_addresses() {
        for here in [
            "localhost",
            "Localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in ["rabbitmq", "localhost.example", "192.0.2.1", "2001:db8::1"] {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }
}
