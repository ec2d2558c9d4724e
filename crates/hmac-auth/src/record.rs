//! The JSON of a stored credential (wire contract 1.4).
//!
//! A store that keeps text reads and writes it through [`decode`] and [`encode`], so that the two sides of one Redis agree.

use auth_base::store_error::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use crate::allowed_ips::AllowedIps;
use crate::credential::{ClientId, Credential};
use crate::secret_hash::SecretHash;

/// A stored value that is no record. Says why, never what was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CorruptRecord {
    /// What is wrong with it.
    pub reason: &'static str,
}

impl CorruptRecord {
    /// Makes the store's error of it, which names the client.
    pub fn of(self, client_id: &ClientId) -> StoreError {
        StoreError::Corrupt {
            owner: client_id.as_str().to_owned(),
            reason: self.reason,
        }
    }
}

/// Reads a stored value: record JSON, or the bare hash of a legacy record (whose times are 0).
///
/// Unknown fields are ignored; times that are no numbers are absent; rules that cannot be read are passed over, unless
/// none can: then the list allows nobody.
///
/// # Errors
/// [`CorruptRecord`] when there is no valid hash in it. Such a value is never taken for a hash itself.
pub fn decode(text: &str) -> Result<Credential, CorruptRecord> {
    if let Ok(secret_hash) = SecretHash::parse(text.trim()) {
        return Ok(Credential {
            secret_hash,
            created_at: 0,
            updated_at: 0,
            expires_at: None,
            allowed_ips: AllowedIps::default(),
        });
    }
    if !text.trim_start().starts_with('{') {
        return Err(CorruptRecord {
            reason: "neither a JSON object nor a bare hash",
        });
    }
    let mut stored: Stored = serde_json::from_str(text).map_err(|error| CorruptRecord {
        reason: match error.classify() {
            serde_json::error::Category::Data => "the record has a field twice",
            _ => "the record is not valid JSON",
        },
    })?;
    let secret_hash = secret_hash(&stored.secret_hash);
    wipe(&mut stored.secret_hash);
    Ok(Credential {
        secret_hash: secret_hash?,
        created_at: epoch_ms(&stored.created_at).unwrap_or(0),
        updated_at: epoch_ms(&stored.updated_at).unwrap_or(0),
        expires_at: epoch_ms(&stored.expires_at),
        allowed_ips: rules(&stored.allowed_ips),
    })
}

/// Writes record JSON. It holds the hash, which is as precious as the secret, so the text is wiped when dropped.
pub fn encode(credential: &Credential) -> Zeroizing<String> {
    let record = Written {
        secret_hash: credential.secret_hash.expose(),
        created_at: credential.created_at,
        updated_at: credential.updated_at,
        expires_at: credential.expires_at,
        allowed_ips: credential.allowed_ips.stored_entries(),
    };
    // Text and integers always serialise; the capacity is generous so that the text is not copied while it grows.
    let mut text = Zeroizing::new(Vec::with_capacity(512));
    let written = serde_json::to_writer(&mut *text, &record);
    debug_assert!(written.is_ok());
    Zeroizing::new(String::from_utf8(std::mem::take(&mut *text)).unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    #[serde(default)]
    secret_hash: Value,
    #[serde(default)]
    created_at: Value,
    #[serde(default)]
    updated_at: Value,
    #[serde(default)]
    expires_at: Value,
    #[serde(default)]
    allowed_ips: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    secret_hash: &'a str,
    created_at: i64,
    updated_at: i64,
    expires_at: Option<i64>,
    allowed_ips: &'a [String],
}

fn secret_hash(value: &Value) -> Result<SecretHash, CorruptRecord> {
    let text = value.as_str().ok_or(CorruptRecord {
        reason: "the record has no secretHash",
    })?;
    SecretHash::parse(text).map_err(|_| CorruptRecord {
        reason: "secretHash is not 64 lower-case hex characters",
    })
}

fn wipe(value: &mut Value) {
    if let Value::String(text) = value {
        text.zeroize();
    }
}

/// Whole milliseconds; a fraction is cut off, what is no number is absent.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float outside of i64 saturates, which is far away enough"
)]
fn epoch_ms(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_f64().map(|float| float as i64))
}

/// A value that is there and is no list counts as a list of one rule that cannot be read.
fn rules(value: &Value) -> AllowedIps {
    let entries = match value {
        Value::Null => return AllowedIps::default(),
        Value::Array(entries) => entries.as_slice(),
        other => std::slice::from_ref(other),
    };
    let is_list = value.is_array();
    AllowedIps::parse_lenient(entries.iter().map(|entry| match entry {
        Value::String(rule) if is_list => rule.clone(),
        other => other.to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "53573f7d3f8a7f7bcada80253685d2b1e058d74729cde4370f7998ee7fb11a16";

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let text = format!(
            r#"{{"secretHash":"{HASH}","createdAt":1,"updatedAt":2,"expiresAt":3,"allowedIps":["10.0.0.0/8"]}}"#
        );
        assert_eq!(*encode(&decode(&text).unwrap()), text);
    }

    #[test]
    fn a_legacy_record_is_the_bare_hash_even_one_of_digits_only() {
        for hash in [HASH, &"1".repeat(64)] {
            let credential = decode(hash).unwrap();
            assert_eq!(credential.secret_hash.expose(), hash);
            assert_eq!((credential.created_at, credential.updated_at), (0, 0));
        }
    }

    #[test]
    fn a_list_that_denies_everyone_still_does_after_it_was_written_back() {
        for rules in [r#"["bad",5]"#, r#""10.0.0.1""#, "5", "{}"] {
            let text = format!(r#"{{"secretHash":"{HASH}","allowedIps":{rules}}}"#);
            let again = decode(&encode(&decode(&text).unwrap())).unwrap();
            assert!(again.allowed_ips.denies_everyone(), "{rules}");
        }
    }

    #[test]
    fn what_has_no_hash_is_corrupt() {
        let twice = format!(r#"{{"secretHash":"{HASH}","secretHash":"{HASH}"}}"#);
        let list = format!(r#"["{HASH}",1,2,3,[]]"#);
        let upper = format!(r#"{{"secretHash":"{}"}}"#, HASH.to_uppercase());
        for text in [
            "", "abc", "{}", "null", "[]", "5", "{bad", &list, &twice, &upper,
        ] {
            let error = decode(text).unwrap_err();
            assert!(!error.to_string().contains(HASH), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_record_or_corrupt(text: String) {
            let _ = decode(&text);
        }

        #[test]
        fn any_field_is_read_without_a_panic(
            created in "(-?[0-9]{1,25}(\\.[0-9]{1,3})?(e[0-9]{1,3})?|\"x\"|null|\\[\\])",
            rules in "(\\[(\"[0-9./:]{0,12}\"(,[0-9]{1,3})?)?\\]|\"x\"|null|\\{\\})",
        ) {
            let text = format!(r#"{{"secretHash":"{HASH}","createdAt":{created},"expiresAt":{created},"allowedIps":{rules}}}"#);
            if let Ok(credential) = decode(&text) {
                let again = decode(&encode(&credential)).unwrap();
                prop_assert_eq!(again.expires_at, credential.expires_at);
                prop_assert_eq!(again.allowed_ips.denies_everyone(), credential.allowed_ips.denies_everyone());
                prop_assert_eq!(again.allowed_ips.rules(), credential.allowed_ips.rules());
            }
        }
    }
}
