//! What keys and rings are called.

use std::fmt;
use std::sync::Arc;

/// A name is no key's or ring's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// A key's name.
    #[error(
        "a key is called by 1 to {} visible ASCII characters, and not . or ..",
        KeyId::MAX_BYTES
    )]
    Key,
    /// A ring's name.
    #[error(
        "a ring is called by 1 to {} of a-z, 0-9, - and _",
        RingName::MAX_BYTES
    )]
    Ring,
}

/// What a provider calls a key: the `kid` of the contract.
///
/// It is written into a path, so it is neither `.` nor `..`: readers of URLs take these, percent-encoded too, for folders.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// So many bytes a name has at most.
    pub const MAX_BYTES: usize = 200;

    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidName::Key`] unless it has 1 to [`Self::MAX_BYTES`] visible ASCII characters.
    pub fn parse(name: &str) -> Result<Self, InvalidName> {
        let fits = (1..=Self::MAX_BYTES).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic())
            && !matches!(name, "." | "..");
        match fits {
            true => Ok(Self(name.into())),
            false => Err(InvalidName::Key),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key ring is called: `access-tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RingName(Arc<str>);

impl RingName {
    /// So many bytes a name has at most.
    pub const MAX_BYTES: usize = 64;

    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidName::Ring`] unless it has 1 to [`Self::MAX_BYTES`] of `a`-`z`, `0`-`9`, `-` and `_`.
    pub fn parse(name: &str) -> Result<Self, InvalidName> {
        let known = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        match (1..=Self::MAX_BYTES).contains(&name.len()) && name.bytes().all(known) {
            true => Ok(Self(name.into())),
            false => Err(InvalidName::Ring),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_path_would_change_are_refused() {
        let long = "k".repeat(KeyId::MAX_BYTES);
        for good in ["a", "a/b", "%2e", "...", "K+/=~", &long] {
            assert_eq!(KeyId::parse(good).unwrap().as_str(), good);
        }
        let longer = format!("{long}k");
        for wrong in ["", ".", "..", "a b", "a\n", "a\0", "é", &longer] {
            assert_eq!(KeyId::parse(wrong), Err(InvalidName::Key), "{wrong:?}");
        }
        for wrong in ["", "A", "a/b", "a.b", &"r".repeat(65)] {
            assert_eq!(RingName::parse(wrong), Err(InvalidName::Ring), "{wrong:?}");
        }
    }
}
