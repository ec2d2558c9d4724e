//! One-time links: whoever holds one signs in, or chooses a password. Nothing of a link is stored.
//!
//! `lnk_` and the base64url form of kind (1 byte), account id (16), the account's version (8), expiry in epoch milliseconds (8)
//! and HMAC-SHA256 of these under a key that only the accounts service has. Who redeems a link writes the account with the
//! version in the link, so it counts once, and it is void once the account was written for another reason.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::account::Version;
use crate::id::AccountId;
use crate::private_api::LinkKind;
use crate::sealed::Sealed;

/// What the token of every link begins with.
pub const PREFIX: &str = "lnk_";

const CLAIMS: usize = 1 + 16 + 8 + 8;
const SEALED: Sealed<CLAIMS> = Sealed {
    prefix: PREFIX,
    label: b"link1",
};

/// How long a link of this kind counts: 15 minutes to sign in, three days to choose a password.
pub fn lifetime(kind: LinkKind) -> Duration {
    match kind {
        LinkKind::SignIn => Duration::from_secs(15 * 60),
        LinkKind::ChoosePassword => Duration::from_secs(3 * 24 * 60 * 60),
    }
}

/// What is written in a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is for.
    pub kind: LinkKind,
    /// Whose it is.
    pub account: AccountId,
    /// The account's version when the link was made: it counts for no other.
    pub version: Version,
    /// When it counts no more, in epoch milliseconds.
    pub expires_at_ms: i64,
}

/// The token of a link: a secret. Redacted in `Debug`, wiped on drop.
#[derive(Clone)]
pub struct LinkToken(Zeroizing<String>);

impl LinkToken {
    /// Reveals it, to be handed to its person. Every call of this is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(redacted)")
    }
}

/// Makes and opens links. Wiped on drop, redacted in `Debug`.
#[derive(Clone)]
pub struct LinkKey(Zeroizing<[u8; 32]>);

impl LinkKey {
    /// Takes the key: 32 random bytes that nobody else has. Another key makes every open link void.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// Makes the token of a link.
    pub fn token(&self, link: &Link) -> LinkToken {
        let mut claims = [0; CLAIMS];
        claims[0] = kind_byte(link.kind);
        claims[1..17].copy_from_slice(link.account.as_bytes());
        claims[17..25].copy_from_slice(&link.version.0.to_be_bytes());
        claims[25..].copy_from_slice(&link.expires_at_ms.to_be_bytes());
        LinkToken(SEALED.seal(&self.0, &claims))
    }

    /// Tells what is written in a token that this key made and that counts at `now_ms`, and `None` of everything else. Whether
    /// the account still has that version is for the caller to find out.
    pub fn open(&self, presented: &str, now_ms: i64) -> Option<Link> {
        let claims = SEALED.open([&self.0], presented)?;
        let link = Link {
            kind: kind_of(claims[0])?,
            account: AccountId::from_bytes(claims[1..17].try_into().ok()?),
            version: Version(u64::from_be_bytes(claims[17..25].try_into().ok()?)),
            expires_at_ms: i64::from_be_bytes(claims[25..].try_into().ok()?),
        };
        (now_ms < link.expires_at_ms).then_some(link)
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(redacted)")
    }
}

fn kind_byte(kind: LinkKind) -> u8 {
    match kind {
        LinkKind::SignIn => 1,
        LinkKind::ChoosePassword => 2,
    }
}

fn kind_of(byte: u8) -> Option<LinkKind> {
    [LinkKind::SignIn, LinkKind::ChoosePassword]
        .into_iter()
        .find(|kind| kind_byte(*kind) == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link {
            kind: LinkKind::ChoosePassword,
            account: AccountId::from_bytes([3; 16]),
            version: Version(7),
            expires_at_ms: 1_000,
        }
    }

    #[test]
    fn a_link_says_what_was_written_until_it_expires() {
        let key = LinkKey::new([1; 32]);
        for kind in [LinkKind::SignIn, LinkKind::ChoosePassword] {
            let link = Link { kind, ..link() };
            let token = key.token(&link);
            assert_eq!(token.expose().len(), PREFIX.len() + 87);
            assert_eq!(key.open(token.expose(), 999), Some(link));
            assert_eq!(key.open(token.expose(), 1_000), None);
        }
    }

    #[test]
    fn no_other_text_is_a_link() {
        let key = LinkKey::new([1; 32]);
        let token = key.token(&link());
        let token = token.expose();
        assert_eq!(LinkKey::new([2; 32]).open(token, 0), None);
        for place in 0..token.len() {
            for other in [b'A', b'B', b'=', b'.'] {
                let mut bytes = token.as_bytes().to_vec();
                if bytes[place] == other {
                    continue;
                }
                bytes[place] = other;
                let changed = String::from_utf8(bytes).unwrap();
                assert_eq!(key.open(&changed, 0), None, "{place}");
            }
        }
        for text in ["", PREFIX, &token[4..], &format!("{token}A"), &token[..80]] {
            assert_eq!(key.open(text, 0), None, "{text}");
        }
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let key = LinkKey::new([1; 32]);
        let shown = format!("{key:?} {:?}", key.token(&link()));
        assert_eq!(shown, "LinkKey(redacted) LinkToken(redacted)");
    }
}
