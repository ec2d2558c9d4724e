//! Key sets (RFC 7517, section 5): what a server publishes, and what a verifier fetched.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::public_jwk::{InvalidJwk, PublicJwk};
use crate::strict_json;

/// A key set may have so many bytes.
pub const MAX_JWKS_BYTES: usize = 64 * 1024;

/// A key set may list so many keys.
pub const MAX_KEYS: usize = 64;

/// Why a text is no key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidJwks {
    /// It is over [`MAX_JWKS_BYTES`].
    #[error("the key set is larger than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    /// It is no JSON object with a list called `keys`.
    #[error("the key set is no JSON object with a list of keys")]
    Syntax,
    /// A member comes twice, somewhere in it.
    #[error("a member of the key set comes twice")]
    MemberTwice,
    /// It lists more than [`MAX_KEYS`].
    #[error("the key set lists more than {MAX_KEYS} keys")]
    TooMany,
}

/// A key that a set lists and that is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkippedKey {
    /// It is no key for us: of another type, for another use, malformed, or one that leaked its private half.
    #[error(transparent)]
    Invalid(#[from] InvalidJwk),
    /// An earlier key of the set is called the same.
    #[error("an earlier key has the same kid")]
    SameKid,
}

/// Public keys by their `kid`. Clones share the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jwks {
    keys: Arc<[PublicJwk]>,
}

impl Jwks {
    /// Makes a set; of several keys that are called the same, the first one counts.
    pub fn new(keys: impl IntoIterator<Item = PublicJwk>) -> Self {
        let mut set: Vec<PublicJwk> = Vec::new();
        for key in keys {
            if set.iter().all(|earlier| earlier.kid() != key.kid()) {
                set.push(key);
            }
        }
        Self { keys: set.into() }
    }

    /// Reads a document. Keys that are not for us are skipped (RFC 7517, section 5).
    ///
    /// # Errors
    /// [`InvalidJwks`].
    pub fn parse(json: &[u8]) -> Result<Self, InvalidJwks> {
        Self::parse_and_tell(json).map(|(set, _)| set)
    }

    /// As [`Self::parse`], and tells which keys were skipped, by their place in the list, for a log.
    ///
    /// # Errors
    /// [`InvalidJwks`].
    pub fn parse_and_tell(json: &[u8]) -> Result<(Self, Vec<(usize, SkippedKey)>), InvalidJwks> {
        if json.len() > MAX_JWKS_BYTES {
            return Err(InvalidJwks::TooLarge);
        }
        let document = strict_json::object(json).map_err(|fault| match fault {
            strict_json::Fault::Syntax => InvalidJwks::Syntax,
            strict_json::Fault::Twice => InvalidJwks::MemberTwice,
        })?;
        let listed = document.get("keys").and_then(Value::as_array);
        let listed = listed.ok_or(InvalidJwks::Syntax)?;
        if listed.len() > MAX_KEYS {
            return Err(InvalidJwks::TooMany);
        }
        let mut keys: Vec<PublicJwk> = Vec::new();
        let mut skipped = Vec::new();
        for (place, key) in listed.iter().enumerate() {
            match read(key) {
                Ok(key) if keys.iter().any(|earlier| earlier.kid() == key.kid()) => {
                    skipped.push((place, SkippedKey::SameKid));
                }
                Ok(key) => keys.push(key),
                Err(invalid) => skipped.push((place, invalid.into())),
            }
        }
        Ok((Self { keys: keys.into() }, skipped))
    }

    /// Finds the key that is called `kid`.
    pub fn find(&self, kid: &str) -> Option<&PublicJwk> {
        self.keys.iter().find(|key| key.kid() == kid)
    }

    /// The keys, in the order of the document.
    pub fn keys(&self) -> &[PublicJwk] {
        &self.keys
    }

    /// Writes the document that is published: public members only, since no key here has others.
    pub fn to_json(&self) -> Value {
        let keys: Vec<Value> = self.keys.iter().map(PublicJwk::to_json).collect();
        json!({ "keys": keys })
    }
}

impl Serialize for Jwks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

fn read(key: &Value) -> Result<PublicJwk, InvalidJwk> {
    PublicJwk::from_members(key.as_object().ok_or(InvalidJwk::Syntax)?)
}
