//! The signature algorithms of this house: Ed25519 and ECDSA on P-256.

use std::fmt;

/// A signature algorithm (RFC 7518, RFC 8037). There is no `none` and no HMAC among them, so no token can ask for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Ed25519, called `EdDSA` (RFC 8037, section 3.1) or `Ed25519` (RFC 9864, section 2.2).
    EdDsa,
    /// ECDSA on P-256 with SHA-256, a signature of `r` and `s` with 32 bytes each (RFC 7518, section 3.4).
    Es256,
}

impl Algorithm {
    /// What a challenge lists as its `algs` (RFC 9449, section 7.1).
    pub const NAMES: &'static str = "EdDSA Ed25519 ES256";

    /// Reads the member `alg` of a header or of a key. Names are case-sensitive (RFC 7515, section 4.1.1).
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }

    /// The name that is written: `EdDSA` or `ES256`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    /// The name that leaves nothing open (RFC 9864): `Ed25519` or `ES256`.
    pub const fn fully_specified_name(self) -> &'static str {
        match self {
            Self::EdDsa => "Ed25519",
            Self::Es256 => "ES256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_read_and_no_other() {
        for name in Algorithm::NAMES.split(' ') {
            let algorithm = Algorithm::parse(name).unwrap();
            assert!([algorithm.name(), algorithm.fully_specified_name()].contains(&name));
        }
        for other in [
            "none", "None", "HS256", "RS256", "ES256K", "Ed448", "eddsa", "es256", "", " EdDSA",
        ] {
            assert_eq!(Algorithm::parse(other), None, "{other}");
        }
    }
}
