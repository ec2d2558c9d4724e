//! The keys of `SECRETS_KEY`: some as they are, some wrapped, which a key provider unwraps when they are needed.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use auth_base::error_chain::chain;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kms::config::MAX_CONFIG_BYTES;
use kms::wrapped_key::PREFIX;
use kms::{CheckedKeyManagement, KmsConfig, KmsError, WrappedKey};
use zeroize::Zeroizing;

/// A key of 32 bytes, wiped on drop.
pub type SecretsKeyBytes = Zeroizing<[u8; 32]>;

/// One key of `SECRETS_KEY`.
#[derive(Clone)]
pub enum DataKey {
    /// The key itself.
    Plain(SecretsKeyBytes),
    /// A key that the provider of `SECRETS_KMS` unwraps.
    Wrapped(WrappedKey),
}

/// What a wrapped key cannot be unwrapped for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsKeyError {
    /// The provider does not unwrap it.
    #[error("key {place} of SECRETS_KEY cannot be unwrapped")]
    Provider {
        /// Which key, from 1.
        place: usize,
        /// Why.
        #[source]
        source: KmsError,
    },
    /// There is no provider, which the configuration does not let happen.
    #[error("key {0} of SECRETS_KEY is wrapped, and SECRETS_KMS is not set")]
    NoProvider(usize),
}

/// The keys that seal secrets at rest: the first writes, all are read.
#[derive(Clone)]
pub struct SecretsKeys {
    pub(crate) keys: Vec<DataKey>,
    pub(crate) provider: Option<CheckedKeyManagement>,
}

impl SecretsKeys {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Tells whether there is none, which the configuration does not let happen.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys, in their order. Asks the provider for each that is wrapped, 15 s at most for one.
    ///
    /// # Errors
    /// [`SecretsKeyError`] of the first that cannot be had.
    pub async fn open(&self) -> Result<Vec<SecretsKeyBytes>, SecretsKeyError> {
        let mut opened = Vec::with_capacity(self.keys.len());
        for (place, key) in (1..).zip(&self.keys) {
            opened.push(match (key, &self.provider) {
                (DataKey::Plain(key), _) => key.clone(),
                (DataKey::Wrapped(key), Some(provider)) => key
                    .open(provider)
                    .await
                    .map_err(|source| SecretsKeyError::Provider { place, source })?,
                (DataKey::Wrapped(_), None) => return Err(SecretsKeyError::NoProvider(place)),
            });
        }
        Ok(opened)
    }

    /// The place of the first that is wrapped, from 1.
    pub(crate) fn first_wrapped(keys: &[DataKey]) -> Option<usize> {
        let is_wrapped = |key: &DataKey| matches!(key, DataKey::Wrapped(_));
        keys.iter().position(is_wrapped).map(|place| place + 1)
    }
}

/// Reads one key: 32 bytes in base64, or a wrapped one.
///
/// # Errors
/// What is wrong with it, without its value.
pub(crate) fn data_key(text: &str) -> Result<DataKey, String> {
    if text.starts_with(PREFIX) {
        let wrapped = WrappedKey::parse(text);
        return wrapped
            .map(DataKey::Wrapped)
            .map_err(|error| format!("is none: {error}"));
    }
    let bytes = STANDARD.decode(text).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| "is not base64".to_owned())?;
    let key = <[u8; 32]>::try_from(bytes.as_slice());
    let key = key.map_err(|_| format!("has {} bytes, not 32", bytes.len()))?;
    Ok(DataKey::Plain(Zeroizing::new(key)))
}

/// The provider that unwraps, by the `kms.json` at `path`. Nobody is asked yet; certificates are read.
///
/// # Errors
/// Everything that is wrong with it, without values.
pub(crate) fn provider_at(
    path: &Path,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<CheckedKeyManagement, String> {
    let json = read(path)?;
    let config = KmsConfig::parse(&json, variables)
        .map_err(|invalid| invalid.to_string().replace('\n', "; "))?;
    let provider = config
        .served()
        .ok_or("defaultProvider: is required with several providers")?;
    let made = kms_http::provider(provider);
    match made.map_err(|error| format!("provider {}: {}", provider.id, chain(&error)))? {
        Some(remote) => Ok(CheckedKeyManagement::new(remote)),
        None => Err(format!(
            "provider {}: a peer asks providers of the types http and vault-transit only",
            provider.id
        )),
    }
}

/// It may hold a token, so what was read is wiped.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read ({error})");
    let limit = MAX_CONFIG_BYTES as u64 + 1;
    let file = File::open(path).map_err(unreadable)?;
    // A buffer that grows leaves what it held behind.
    let length = file.metadata().map_err(unreadable)?.len().min(limit);
    let length = usize::try_from(length).unwrap_or(MAX_CONFIG_BYTES);
    let mut json = Zeroizing::new(Vec::with_capacity(length + 1));
    file.take(limit)
        .read_to_end(&mut json)
        .map_err(unreadable)?;
    Ok(json)
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain(redacted)"),
            Self::Wrapped(key) => key.fmt(f),
        }
    }
}

impl std::fmt::Debug for SecretsKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretsKeys({} redacted)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn provider(json: &str) -> Result<CheckedKeyManagement, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(json.as_bytes()).unwrap();
        provider_at(file.path(), &|name| {
            (name == "KMS_TOKEN").then(|| "hunter2".to_owned())
        })
    }

    #[test]
    fn a_provider_that_cannot_be_asked_is_told_without_its_token() {
        let http = |token: &str| {
            let auth = format!(r#"{{ "type": "bearer", "token": "{token}" }}"#);
            let base = "https://kms.internal";
            format!(r#"{{ "id": "m", "type": "http", "baseUrl": "{base}", "auth": {auth} }}"#)
        };
        let one = |provider: &str| format!(r#"{{ "providers": [{provider}] }}"#);
        let made = provider(&one(&http("${KMS_TOKEN}"))).unwrap();
        assert!(!format!("{made:?}").contains("hunter2"));
        for (json, told) in [
            (
                one(&http("${OTHER}")),
                "Missing environment variables: OTHER",
            ),
            (
                one(r#"{ "id": "m", "type": "memory" }"#),
                "http and vault-transit only",
            ),
            (
                one(&[http("a"), http("b").replace("\"m\"", "\"n\"")].join(",")),
                "defaultProvider: is required",
            ),
            (
                one(r#"{ "id": "m", "type": "http" }"#),
                "providers[0].baseUrl: is required",
            ),
            ("{".to_owned(), "no JSON"),
        ] {
            let problem = provider(&json).unwrap_err();
            assert!(problem.contains(told), "{problem}");
            assert!(
                !problem.contains("hunter2") && !problem.contains('\n'),
                "{problem}"
            );
        }
    }

    #[tokio::test]
    async fn keys_are_opened_in_their_order() {
        let keys = vec![
            data_key(&STANDARD.encode([1; 32])).unwrap(),
            data_key("kms:a:AAAAAAAAAAAAAAAAAAAAAA:YQ").unwrap(),
        ];
        assert_eq!(SecretsKeys::first_wrapped(&keys), Some(2));
        let shown = format!("{keys:?}");
        assert_eq!(shown, "[Plain(redacted), WrappedKey(a)]");
        let all = SecretsKeys {
            keys,
            provider: None,
        };
        let refused = all.open().await.unwrap_err();
        assert!(matches!(refused, SecretsKeyError::NoProvider(2)));
        let first = SecretsKeys {
            keys: all.keys[..1].to_vec(),
            provider: None,
        };
        assert_eq!(*first.open().await.unwrap()[0], [1; 32]);
    }
}
