//! E-mail addresses, as the names that people sign in with.

use std::fmt;

use auth_base::text::is_hidden;

use crate::text::composed;

/// Bytes of an address (RFC 5321, 4.5.3.1).
pub const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;

/// Why a text is no e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEmail {
    /// It is empty, or longer than 254 bytes, or has more than 64 before the `@`.
    #[error("an e-mail address has 3 to 254 bytes, and 1 to 64 of them before the @")]
    Length,
    /// It does not have exactly one `@`, with something on both sides, or there is nothing beside a dot of its domain.
    #[error("an e-mail address has one @, with something on both sides, also of each dot after it")]
    Form,
    /// It holds a blank or a character that nobody sees.
    #[error("an e-mail address holds no blanks and no hidden characters")]
    Hidden,
}

/// An e-mail address in its normal form: blanks at its ends taken off, composed (NFC), lower case.
///
/// Two people who differ only in upper and lower case would be one: no mail server in use keeps them apart. Whether anybody
/// reads mail there is not known. Letters of several scripts that look alike are different.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// Reads and normalises an address.
    ///
    /// # Errors
    /// [`InvalidEmail`].
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        // A text that long is not even looked at.
        if text.len() > 4 * LONGEST {
            return Err(InvalidEmail::Length);
        }
        let normal = composed(&composed(text.trim()).to_lowercase());
        if normal.len() < 3 || normal.len() > LONGEST {
            return Err(InvalidEmail::Length);
        }
        if normal.chars().any(|it| it.is_whitespace() || is_hidden(it)) {
            return Err(InvalidEmail::Hidden);
        }
        match normal.split_once('@') {
            Some((local, _)) if local.len() > LONGEST_LOCAL => Err(InvalidEmail::Length),
            Some((local, domain)) if local.is_empty() || domain.split('.').any(str::is_empty) => {
                Err(InvalidEmail::Form)
            }
            Some((_, domain)) if !domain.contains('@') => Ok(Self(normal)),
            _ => Err(InvalidEmail::Form),
        }
    }

    /// Reads an address that a store holds, as it was written there. What the normal form was then is not judged again: a
    /// newer table of letters, or a stricter rule, makes no account unreadable.
    ///
    /// # Errors
    /// [`InvalidEmail`] for what was never one.
    pub fn from_stored(text: &str) -> Result<Self, InvalidEmail> {
        if text.len() < 3 || text.len() > LONGEST {
            return Err(InvalidEmail::Length);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidEmail::Hidden);
        }
        match text.split_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(InvalidEmail::Form),
        }
    }

    /// The address in its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_person_is_one_address() {
        let ada = Email::parse("ada@example.org").unwrap();
        for same in [" ada@example.org ", "Ada@Example.ORG", "ADA@EXAMPLE.ORG\n"] {
            assert_eq!(Email::parse(same).as_ref(), Ok(&ada), "{same:?}");
        }
        let composed = Email::parse("zo\u{eb}@example.org").unwrap();
        assert_eq!(Email::parse("Zoe\u{308}@example.org"), Ok(composed));
        assert_eq!(ada.local_part(), "ada");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, why) in [
            ("", InvalidEmail::Length),
            ("a@", InvalidEmail::Length),
            ("ada", InvalidEmail::Form),
            ("@example.org", InvalidEmail::Form),
            ("ada@", InvalidEmail::Form),
            ("ada@b@c", InvalidEmail::Form),
            ("ada@example.org.", InvalidEmail::Form),
            ("ada@.example.org", InvalidEmail::Form),
            ("ada@example..org", InvalidEmail::Form),
            ("ada\u{3164}@example.org", InvalidEmail::Hidden),
            ("ada lovelace@example.org", InvalidEmail::Hidden),
            ("ada\u{200b}@example.org", InvalidEmail::Hidden),
            ("ada\0@example.org", InvalidEmail::Hidden),
            ("ada\u{202e}@example.org", InvalidEmail::Hidden),
        ] {
            assert_eq!(Email::parse(text), Err(why), "{text:?}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        assert_eq!(Email::parse(&long), Err(InvalidEmail::Length));
        let long = format!("a@{}", "b".repeat(253));
        assert_eq!(Email::parse(&long), Err(InvalidEmail::Length));
    }

    #[test]
    fn what_was_an_address_once_is_read() {
        for stored in [
            "ada@example.org",
            "Ada@example.org.",
            "ada\u{3164}@example.org",
        ] {
            let email = Email::from_stored(stored);
            assert_eq!(email.as_ref().map(Email::as_str), Ok(stored));
        }
        for (stored, why) in [
            ("", InvalidEmail::Length),
            ("ada", InvalidEmail::Form),
            ("@example.org", InvalidEmail::Form),
            ("ada@b\n", InvalidEmail::Hidden),
        ] {
            assert_eq!(Email::from_stored(stored), Err(why), "{stored:?}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own(text in "\\PC{1,20}@\\PC{1,20}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }
    }
}
