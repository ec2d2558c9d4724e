//! Secrets at rest: each value bound to its table, column and row.

use std::sync::Arc;

use auth_base::random::Random;
use zeroize::Zeroizing;

pub use secrets_at_rest::SecretsKey;
pub(crate) use secrets_at_rest::{OpenError, Resealing, SealError};

/// What key ids are made with.
const LABEL: &[u8] = b"hmac-mesh secrets key id\0";

/// Where a sealed value lives: table and column, then the parts of the row's key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) column: &'static str,
    pub(crate) row: [&'a str; 3],
}

impl<'a> Place<'a> {
    pub(crate) fn credential_hash(track: &'a str, client_id: &'a str) -> Self {
        Self {
            column: "hmac_credential.secret_hash",
            row: [track, client_id, ""],
        }
    }

    pub(crate) fn delivery_hash(track: &'a str, client_id: &'a str, target: &'a str) -> Self {
        Self {
            column: "hmac_credential_target.secret_hash",
            row: [track, client_id, target],
        }
    }

    pub(crate) fn propagation_secret(target: &'a str) -> Self {
        Self {
            column: "hmac_propagation_target.propagation_secret",
            row: ["", "", target],
        }
    }

    fn parts(&self) -> [&'a str; 4] {
        let [first, second, third] = self.row;
        [self.column, first, second, third]
    }
}

/// Seals and opens.
pub(crate) struct Vault(secrets_at_rest::Vault);

impl Vault {
    pub(crate) fn new(key: &SecretsKey, random: Arc<dyn Random>) -> Self {
        Self(secrets_at_rest::Vault::new(key, LABEL, random))
    }

    pub(crate) fn seal(&self, place: &Place<'_>, plain: &str) -> Result<String, SealError> {
        self.0.seal(&place.parts(), plain.as_bytes())
    }

    /// Tells what is to be done with a value after a change of keys.
    pub(crate) fn reseal(&self, place: &Place<'_>, sealed: &str) -> Result<Resealing, SealError> {
        self.0.reseal(&place.parts(), sealed)
    }

    pub(crate) fn open(
        &self,
        place: &Place<'_>,
        sealed: &str,
    ) -> Result<Zeroizing<String>, OpenError> {
        let mut plain = self.0.open(&place.parts(), sealed)?;
        String::from_utf8(std::mem::take(&mut *plain))
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use auth_base::random::SystemRandom;

    use super::*;

    fn vault(key: &SecretsKey) -> Vault {
        Vault::new(key, Arc::new(SystemRandom))
    }

    #[test]
    fn a_value_opens_in_its_own_place_only() {
        let vault = vault(&SecretsKey::new([1; 32]));
        let here = Place::delivery_hash("http", "a", "b-c");
        let sealed = vault.seal(&here, "secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_ne!(sealed, vault.seal(&here, "secret").unwrap());
        assert_eq!(vault.open(&here, &sealed).unwrap().as_str(), "secret");
        for elsewhere in [
            Place::delivery_hash("message", "a", "b-c"),
            Place::delivery_hash("http", "ab", "-c"),
            Place::delivery_hash("http", "a", "b-d"),
            Place::credential_hash("http", "a"),
        ] {
            assert_eq!(
                vault.open(&elsewhere, &sealed).unwrap_err(),
                OpenError::Refused,
                "{elsewhere:?}"
            );
        }
    }

    /// Made by another program from the format's description: what is in databases must open.
    #[test]
    fn the_format_is_that_of_the_rows_that_are_there() {
        let sealed = "AfkJ3SMJCQkJCQkJCQkJCQm3akS8q0Rdb5fZcaHcPbybDkps4njJ";
        let place = Place::credential_hash("http", "a");
        let vault = vault(&SecretsKey::new([1; 32]));
        assert_eq!(vault.open(&place, sealed).unwrap().as_str(), "secret");
    }
}
