//! The keys.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The keys that encrypt secrets at rest: one that writes, and any number of older ones that are still read.
///
/// A nonce is 96 random bits: change the key well before it has sealed 2^32 values.
#[derive(Clone)]
pub struct SecretsKey {
    pub(crate) keys: Vec<Zeroizing<[u8; 32]>>,
}

/// The text is not the base64 of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secrets key is 32 bytes in base64")]
pub struct InvalidSecretsKey;

impl SecretsKey {
    /// Takes the 32 bytes of the key that writes.
    pub fn new(bytes: [u8; 32]) -> Self {
        let keys = vec![Zeroizing::new(bytes)];
        Self { keys }
    }

    /// Reads keys in base64 separated by commas: the first writes, all are read.
    ///
    /// # Errors
    /// [`InvalidSecretsKey`] unless every part is the base64 of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretsKey> {
        let read = |part: &str| {
            let decoded = STANDARD.decode(part.trim()).map(Zeroizing::new);
            let decoded = decoded.map_err(|_| InvalidSecretsKey)?;
            let bytes = decoded.as_slice().try_into();
            bytes.map(Zeroizing::new).map_err(|_| InvalidSecretsKey)
        };
        let keys: Result<Vec<_>, InvalidSecretsKey> = text.split(',').map(read).collect();
        Ok(Self { keys: keys? })
    }

    /// Adds a key that is only read with: what it sealed stays readable after a change of the key.
    #[must_use]
    pub fn also_reading(mut self, older: Self) -> Self {
        self.keys.extend(older.keys);
        self
    }
}

impl fmt::Debug for SecretsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretsKey({} redacted)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_parsed_and_never_shown() {
        let one = STANDARD.encode([7; 32]);
        let two = STANDARD.encode([8; 32]);
        let both = SecretsKey::parse(&format!("{one}, {two}")).unwrap();
        assert_eq!(format!("{both:?}"), "SecretsKey(2 redacted)");
        for wrong in ["", "abc", &STANDARD.encode([7; 31]), &format!("{one},")] {
            assert_eq!(SecretsKey::parse(wrong).unwrap_err(), InvalidSecretsKey);
        }
    }
}
