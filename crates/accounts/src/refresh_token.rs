//! The refresh token as a client holds it: opaque, found by who looks for leaked secrets, made without being stored.
//!
//! `rt_` and the base64url form of family (16 bytes), token id (16 bytes) and HMAC-SHA256 of both under a key that only the
//! gateway has. So a copy of the database opens nothing, and a successor whose answer got lost can be made again.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::id::{FamilyId, TokenId};

/// What every refresh token begins with.
pub const PREFIX: &str = "rt_";

const LABEL: &[u8] = b"rt1";
const IDS: usize = 32;
const BYTES: usize = IDS + 32;
/// Characters after the prefix.
const CHARACTERS: usize = 86;

/// A refresh token: a secret. Redacted in `Debug`, wiped on drop.
#[derive(Clone)]
pub struct RefreshToken(Zeroizing<String>);

impl RefreshToken {
    /// Reveals it, to be handed to its client. Every call of this is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(redacted)")
    }
}

/// What is written in a refresh token that is genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshIds {
    /// The family.
    pub family: FamilyId,
    /// The token.
    pub token: TokenId,
}

/// Makes and opens refresh tokens. Wiped on drop, redacted in `Debug`.
#[derive(Clone)]
pub struct RefreshTokenKey {
    newest: Zeroizing<[u8; 32]>,
    /// Opens tokens, and makes none.
    older: Vec<Zeroizing<[u8; 32]>>,
}

impl RefreshTokenKey {
    /// Takes the key: 32 random bytes that nobody else has.
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            newest: Zeroizing::new(key),
            older: Vec::new(),
        }
    }

    /// Opens what was made under an older key too, so that a change of the key signs nobody out.
    #[must_use]
    pub fn and_older(mut self, key: [u8; 32]) -> Self {
        self.older.push(Zeroizing::new(key));
        self
    }

    /// Makes the token of these ids: the same at each call.
    pub fn token(&self, ids: &RefreshIds) -> RefreshToken {
        let mut bytes = Zeroizing::new([0; BYTES]);
        bytes[..16].copy_from_slice(ids.family.as_bytes());
        bytes[16..IDS].copy_from_slice(ids.token.as_bytes());
        let proof = proof(&self.newest, &bytes[..IDS]);
        bytes[IDS..].copy_from_slice(&*proof);
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + CHARACTERS));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        RefreshToken(text)
    }

    /// Tells the ids of a token that this key made, and `None` of everything else: a token has one form only.
    pub fn open(&self, presented: &str) -> Option<RefreshIds> {
        let text = presented.strip_prefix(PREFIX)?;
        if text.len() != CHARACTERS {
            return None;
        }
        let mut bytes = Zeroizing::new([0; BYTES]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut *bytes).ok()?;
        if length != BYTES {
            return None;
        }
        let (ids, presented) = bytes.split_at(IDS);
        let mut is_genuine = subtle::Choice::from(0);
        for key in std::iter::once(&self.newest).chain(&self.older) {
            is_genuine |= proof(key, ids).ct_eq(presented);
        }
        let (family, token) = ids.split_at(16);
        match bool::from(is_genuine) {
            true => Some(RefreshIds {
                family: FamilyId::from_bytes(family.try_into().ok()?),
                token: TokenId::from_bytes(token.try_into().ok()?),
            }),
            false => None,
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of any length: there is no such error"
)]
fn proof(key: &[u8; 32], ids: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(LABEL);
    mac.update(ids);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

impl fmt::Debug for RefreshTokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshTokenKey")
            .field("older", &self.older.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDS: RefreshIds = RefreshIds {
        family: FamilyId::from_bytes([1; 16]),
        token: TokenId::from_bytes([2; 16]),
    };

    #[test]
    fn a_token_is_made_again_and_opened() {
        let key = RefreshTokenKey::new([7; 32]);
        let token = key.token(&IDS);
        assert_eq!(token.expose(), key.token(&IDS).expose());
        assert_eq!(token.expose().len(), 89);
        assert_eq!(key.open(token.expose()), Some(IDS));
        assert_eq!(RefreshTokenKey::new([8; 32]).open(token.expose()), None);
        let next = RefreshTokenKey::new([8; 32]).and_older([7; 32]);
        assert_eq!(next.open(token.expose()), Some(IDS));
        assert_ne!(next.token(&IDS).expose(), token.expose());
        let shown = format!("{token:?} {key:?}");
        assert_eq!(
            shown,
            "RefreshToken(redacted) RefreshTokenKey { older: 0, .. }"
        );
    }

    /// Computed by another program (Python: hmac, base64).
    #[test]
    fn the_form_is_what_it_was() {
        let token = RefreshTokenKey::new([7; 32]).token(&IDS);
        assert_eq!(token.expose(), GOLDEN);
    }

    const GOLDEN: &str =
        "rt_AQEBAQEBAQEBAQEBAQEBAQICAgICAgICAgICAgICAgJhcj5pOLQvK9wMomaCKykAmNmtqGLC9Dn8HsyFKDK0GQ";

    #[test]
    fn one_character_more_or_other_opens_nothing() {
        let key = RefreshTokenKey::new([7; 32]);
        let token = key.token(&IDS).expose().to_owned();
        for place in 0..token.len() {
            for other in ['A', 'z', '_', '=', ' '] {
                let mut changed: Vec<char> = token.chars().collect();
                if changed[place] != other {
                    changed[place] = other;
                    let changed: String = changed.into_iter().collect();
                    assert_eq!(key.open(&changed), None, "{place} {other}");
                }
            }
            assert_eq!(key.open(&token[..place]), None);
        }
        for longer in [
            format!("{token}="),
            format!(" {token}"),
            format!("{token}A"),
        ] {
            assert_eq!(key.open(&longer), None);
        }
    }

    proptest! {
        #[test]
        fn no_text_opens_anything(text in "(rt_)?\\PC{0,100}") {
            prop_assert_eq!(RefreshTokenKey::new([7; 32]).open(&text), None);
        }

        #[test]
        fn any_ids_come_back(family: [u8; 16], token: [u8; 16], key: [u8; 32]) {
            let ids = RefreshIds {
                family: FamilyId::from_bytes(family),
                token: TokenId::from_bytes(token),
            };
            let key = RefreshTokenKey::new(key);
            prop_assert_eq!(key.open(key.token(&ids).expose()), Some(ids));
        }
    }
}
