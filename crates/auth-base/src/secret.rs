//! A secret as a value that must never reach a log.

use std::fmt;
use std::ops::RangeInclusive;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Why a secret that somebody gives is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSecret {
    /// It is too short or too long.
    #[error("has {length} bytes; {least} to {most} are needed")]
    Length {
        /// How many bytes it has.
        length: usize,
        /// How many it has at least.
        least: usize,
        /// And at most.
        most: usize,
    },
    /// The next program that reads it may take off what nobody sees.
    #[error("begins or ends with a blank, a line break or another character that nobody sees")]
    Ends,
    /// Most likely it was cut out of something longer.
    #[error("holds a line break or another control character")]
    Control,
}

/// A plain secret: redacted in `Debug`, wiped on drop, compared in constant time only.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps `plain` without a check of its length.
    pub fn new(plain: impl Into<String>) -> Self {
        Self(Zeroizing::new(plain.into()))
    }

    /// Reveals the plain text. Every call of this is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in constant time (for values of equal length).
    pub fn matches(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// Judges a secret that somebody gives: it has so many bytes, and nothing in it gets lost where it is written down.
    ///
    /// # Errors
    /// [`InvalidSecret`] says what is wrong, and nothing of the secret but its length.
    pub fn check(&self, bytes: RangeInclusive<usize>) -> Result<(), InvalidSecret> {
        let text = self.expose();
        let is_unseen = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
        if !bytes.contains(&text.len()) {
            let (length, least, most) = (text.len(), *bytes.start(), *bytes.end());
            return Err(InvalidSecret::Length {
                length,
                least,
                most,
            });
        }
        if text.starts_with(is_unseen) || text.ends_with(is_unseen) {
            return Err(InvalidSecret::Ends);
        }
        match text.contains(char::is_control) {
            true => Err(InvalidSecret::Control),
            false => Ok(()),
        }
    }

    /// Tells whether the secret has no character.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gets_lost_on_the_way_is_refused() {
        let check = |text: &str| Secret::new(text).check(3..=8);
        for good in ["abc", "a b,c=d", "äöü", "a\u{feff}b"] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for wrong in [
            "abc\n",
            "abc\r\n",
            "   ",
            " abc",
            "abc\u{a0}",
            "\u{feff}abc",
            "abc\u{feff}",
        ] {
            assert_eq!(check(wrong), Err(InvalidSecret::Ends), "{wrong:?}");
        }
        assert_eq!(check("ab\ncd"), Err(InvalidSecret::Control));
        let long = check("123456789").unwrap_err().to_string();
        assert_eq!(long, "has 9 bytes; 3 to 8 are needed");
    }
}
