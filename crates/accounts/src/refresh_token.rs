//! The refresh token as a client holds it: opaque, found by who looks for leaked secrets, made without being stored.
//!
//! `rt_` and the base64url form of family (16 bytes), token id (16 bytes) and HMAC-SHA256 of both under a key that only the
//! gateway has. So a copy of the database opens nothing, and a successor whose answer got lost can be made again.

use std::fmt;

use zeroize::Zeroizing;

use crate::id::{FamilyId, TokenId};
use crate::sealed::Sealed;

/// What every refresh token begins with.
pub const PREFIX: &str = "rt_";

const IDS: usize = 32;
const SEALED: Sealed<IDS> = Sealed {
    prefix: PREFIX,
    label: b"rt1",
};

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
        let mut claims = [0; IDS];
        claims[..16].copy_from_slice(ids.family.as_bytes());
        claims[16..].copy_from_slice(ids.token.as_bytes());
        RefreshToken(SEALED.seal(&self.newest, &claims))
    }

    /// Tells the ids of a token that this key made, and `None` of everything else: a token has one form only.
    pub fn open(&self, presented: &str) -> Option<RefreshIds> {
        let keys = std::iter::once(&self.newest).chain(&self.older);
        let claims = SEALED.open(keys, presented)?;
        let (family, token) = claims.split_at(16);
        Some(RefreshIds {
            family: FamilyId::from_bytes(family.try_into().ok()?),
            token: TokenId::from_bytes(token.try_into().ok()?),
        })
    }
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
