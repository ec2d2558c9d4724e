//! What a store should hold, or holds, as one number.

use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::Credential;
use hmac_auth::secret_hash::SecretHash;
use sha2::Sha256;

use crate::management::DesiredRecord;
use crate::peer_store::CredentialKey;

/// What is compared of a record.
pub(super) enum Content<'a> {
    Record {
        hash: &'a SecretHash,
        expires_at: Option<i64>,
        rules: Vec<&'a str>,
    },
    Corrupt,
    /// Not there.
    Deleted,
    /// Not there, and nothing keeps it from coming back.
    Forgotten,
}

impl<'a> Content<'a> {
    /// What should be there; `None` is nothing.
    pub(super) fn of(wanted: Option<&'a DesiredRecord>) -> Self {
        let Some(record) = wanted else {
            return Self::Deleted;
        };
        let rules = canonical(&record.allowed_ips);
        Self::Record {
            hash: &record.secret_hash,
            expires_at: record.expires_at,
            rules,
        }
    }
}

impl<'a> From<&'a Credential> for Content<'a> {
    fn from(credential: &'a Credential) -> Self {
        let rules = canonical(&credential.allowed_ips);
        Self::Record {
            hash: &credential.secret_hash,
            expires_at: credential.expires_at,
            rules,
        }
    }
}

/// The order of rules means nothing.
pub(super) fn canonical(rules: &AllowedIps) -> Vec<&str> {
    let mut rules: Vec<&str> = rules.stored_entries().iter().map(String::as_str).collect();
    rules.sort_unstable();
    rules
}

/// The SHA-256 of each row, combined so that the order of the rows means nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    /// Adds a row. A row is added once.
    pub(super) fn add(&mut self, key: &CredentialKey, content: &Content<'_>) {
        let text = match content {
            Content::Deleted => "deleted".to_owned(),
            Content::Forgotten => "forgotten".to_owned(),
            Content::Corrupt => "corrupt".to_owned(),
            Content::Record {
                hash,
                expires_at,
                rules,
            } => {
                let expires_at = expires_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
                format!("{} {expires_at} {}", hash.expose(), rules.join(","))
            }
        };
        // A client id holds no control character, so the parts are told apart.
        let row = format!("{}\n{}\n{text}", key.track.as_str(), key.client_id);
        for (sum, byte) in self.0.iter_mut().zip(sha256(row.as_bytes())) {
            *sum ^= byte;
        }
    }

    /// The first 8 hex digits.
    pub(super) fn prefix(&self) -> String {
        self.0[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// A number from 0 to 1 that belongs to a text.
pub(super) fn share(text: &str) -> f64 {
    f64::from(sha256(text.as_bytes())[0]) / 255.0
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    <Sha256 as sha2::Digest>::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use auth_base::secret::Secret;
    use hmac_auth::credential::ClientId;
    use hmac_auth::secret_hash::hash_client_secret;

    use super::*;
    use crate::peer_store::Track;

    fn key(client: &str) -> CredentialKey {
        CredentialKey {
            track: Track::Http,
            client_id: ClientId::parse(client).unwrap(),
        }
    }

    fn record(secret: &str, expires_at: Option<i64>, rules: &[&str]) -> DesiredRecord {
        DesiredRecord {
            secret_hash: hash_client_secret(&Secret::new(secret), None),
            allowed_ips: AllowedIps::parse(rules).unwrap(),
            expires_at,
        }
    }

    fn digest(rows: &[(&str, Option<&DesiredRecord>)]) -> Digest {
        let mut digest = Digest::default();
        rows.iter()
            .for_each(|(client, record)| digest.add(&key(client), &Content::of(*record)));
        digest
    }

    #[test]
    fn the_order_of_rows_and_of_rules_means_nothing_and_everything_else_does() {
        let one = record("one", Some(5), &["10.0.0.1", "10.0.0.2"]);
        let same = record("one", Some(5), &["10.0.0.2", "10.0.0.1"]);
        let known = digest(&[("a", Some(&one)), ("b", None)]);
        assert!(known == digest(&[("b", None), ("a", Some(&same))]));
        let others = [
            record("two", Some(5), &["10.0.0.1", "10.0.0.2"]),
            record("one", None, &["10.0.0.1", "10.0.0.2"]),
            record("one", Some(5), &["10.0.0.1"]),
            record("one", Some(5), &[]),
        ];
        for other in &others {
            assert!(known != digest(&[("a", Some(other)), ("b", None)]));
        }
        assert!(known != digest(&[("a", None), ("b", None)]));
        assert!(known != digest(&[("b", Some(&one)), ("a", None)]));
        assert!(known != digest(&[("a", Some(&one))]), "a revocation counts");
        assert_eq!(known.prefix().len(), 8);
    }
}
