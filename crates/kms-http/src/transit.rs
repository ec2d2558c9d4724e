//! Keys in the Transit engine of Vault and OpenBao.
//!
//! - A key is `ed25519` or `ecdsa-p256`. One that is exportable, imported, or may be backed up in plain is refused.
//! - It signs with its first version only: a key that somebody rotates there stays the key that it was.
//! - A key that wraps is `aes256-gcm96`.
//! - A key that wraps is `aes256-gcm96`, with its first version too. The engine makes one that is asked to encrypt and is not
//!   there, so it is looked at before.
//! - ECDSA signatures are asked for in the marshaling of JWS: `r` and `s`, not ASN.1.
//! - The engine takes fewer names than the contract: others are written as `hex.` and their bytes in hexadecimal.
//! - The engine answers the making of a key that is there with that key, and a warning, which is read.

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_auth::pem::read_public_key;
use jwt_auth::{Algorithm, PrivateKey, PublicJwk};
use kms::config::settings::TransitSettings;
use kms::key_management::check_input;
use kms::wrapping_key::check_plain;
use kms::{Capabilities, Health, KeyId, KeyManagement, KmsError};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use crate::authentication::Authentication;
use crate::certificates::CertificateClients;
use crate::error::Complainant;
use crate::transport::{Answer, Call, Transport, wiped};
use crate::wire;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Without it, agents and proxies of Vault may refuse a request.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// Where the server tells how it is, without a token.
const HEALTH: &str = "sys/health";

/// What the engine calls a key that wraps.
const WRAPPING_KIND: &str = "aes256-gcm96";

/// Names that are no others written in hexadecimal.
const ENCODED: &str = "hex.";

/// Keys in a Transit engine. It is configured as `vault-transit` in `kms.json`.
pub struct TransitKms {
    settings: TransitSettings,
    /// What every call carries but the one that asks for health, which belongs to no namespace.
    headers: HeaderMap,
    transport: Transport,
    complainant: Complainant,
}

#[derive(Deserialize)]
struct Described {
    data: Description,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Description {
    #[serde(rename = "type")]
    kind: String,
    keys: std::collections::BTreeMap<String, Value>,
    exportable: bool,
    allow_plaintext_backup: bool,
    /// Older engines do not import, and do not say it.
    #[serde(default)]
    imported_key: bool,
}

impl Description {
    /// How somebody may know the private key.
    fn leak(&self) -> Option<&'static str> {
        let leaks = [
            (self.exportable, "exportable"),
            (self.imported_key, "imported_key"),
            (self.allow_plaintext_backup, "allow_plaintext_backup"),
        ];
        leaks
            .into_iter()
            .find_map(|(is_so, leak)| is_so.then_some(leak))
    }
}

#[derive(Deserialize)]
struct Signed {
    data: Signature,
}

#[derive(Deserialize)]
struct Signature {
    signature: String,
}

#[derive(Deserialize)]
struct Encrypted {
    data: Ciphertext,
}

#[derive(Deserialize)]
struct Ciphertext {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted<'a> {
    #[serde(borrow)]
    data: Plaintext<'a>,
}

/// A text of its own where it holds escapes.
#[derive(Deserialize)]
struct Plaintext<'a> {
    #[serde(borrow)]
    plaintext: Cow<'a, str>,
}

/// A key of the engine.
struct Found {
    /// The public half of its first version; a key that wraps has none.
    public: Option<PublicJwk>,
    /// Whether it was there before it was made.
    existed: bool,
}

#[derive(Deserialize)]
struct Refused {
    errors: Vec<String>,
}

impl TransitKms {
    /// A client of one engine, which is called `id` in errors. Nothing is sent yet; certificates are read.
    ///
    /// # Errors
    /// [`KmsError::Refused`] when certificates cannot be read or used, or the token or the namespace fits no header.
    pub fn new(id: &str, settings: TransitSettings) -> Result<Self, KmsError> {
        let complainant = Complainant::new(id);
        let clients = CertificateClients::new(settings.tls.clone());
        let clients = clients
            .map_err(|error| complainant.misconfigured("the certificates cannot be used", error))?;
        let mut headers = HeaderMap::from_iter([(REQUEST, HeaderValue::from_static("true"))]);
        let value = |text: &str| {
            let value = HeaderValue::from_str(text);
            value.map_err(|error| complainant.misconfigured("a value fits no header", error))
        };
        let mut token = value(settings.token.expose())?;
        token.set_sensitive(true);
        headers.insert(TOKEN, token);
        if let Some(namespace) = &settings.namespace {
            headers.insert(NAMESPACE, value(namespace)?);
        }
        Ok(Self {
            transport: Transport::new(clients, Authentication::None, complainant.clone()),
            settings,
            headers,
            complainant,
        })
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, KmsError> {
        let body = body.map(|body| Zeroizing::new(body.to_string()));
        self.send(method, path, body).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Zeroizing<String>>,
    ) -> Result<Answer, KmsError> {
        let base = self.settings.base_url.as_str();
        let base = base.strip_suffix('/').unwrap_or(base);
        let url = Url::parse(&format!("{base}/v1/{path}"));
        let url = url.map_err(|error| self.complainant.misconfigured("the URL is none", error))?;
        let headers = match path == HEALTH {
            true => HeaderMap::new(),
            false => self.headers.clone(),
        };
        let call = Call {
            method,
            url,
            headers,
            body: body.map(wiped),
        };
        self.transport.send(&call).await
    }

    fn path(&self, action: &str, kid: &KeyId) -> String {
        format!("{}/{action}/{}", self.settings.mount, engine_name(kid))
    }

    /// What the engine told of a key.
    fn described(&self, answer: &Answer, kid: &KeyId) -> Result<Found, KmsError> {
        let none = || {
            self.complainant
                .unreadable("remote service returned no publicJwk")
        };
        let described: Described = serde_json::from_slice(&answer.body).map_err(|_| none())?;
        let warnings = described.warnings.unwrap_or_default();
        let existed = warnings.iter().any(|it| it.contains("already existed"));
        if let Some(leak) = described.data.leak() {
            let problem = format!("somebody may know the key: {leak}");
            return Err(KmsError::Refused(self.complainant.of(problem)));
        }
        if described.data.kind == WRAPPING_KIND {
            let public = None;
            return Ok(Found { public, existed });
        }
        let first = described
            .data
            .keys
            .get("1")
            .and_then(|key| key.get("public_key"));
        let text = first.and_then(Value::as_str).ok_or_else(none)?;
        let key = match described.data.kind.as_str() {
            "ed25519" => {
                let bytes = STANDARD
                    .decode(text)
                    .ok()
                    .and_then(|it| <[u8; 32]>::try_from(it).ok());
                PublicJwk::ed25519(bytes.ok_or_else(none)?).map_err(KmsError::PublicKey)?
            }
            "ecdsa-p256" => read_public_key("public_key", Some(text)).map_err(|_| none())?,
            _ => return Err(none()),
        };
        let public = Some(kms::memory::named(&key, kid)?);
        Ok(Found { public, existed })
    }

    /// Makes a key of a kind of the engine.
    async fn make(&self, kid: &KeyId, kind: &str) -> Result<Found, KmsError> {
        let body = json!({ "type": kind, "exportable": false, "allow_plaintext_backup": false });
        let answer = self
            .call(Method::POST, &self.path("keys", kid), Some(body))
            .await?;
        if answer.status.as_u16() != 200 {
            return Err(self.refusal(&answer));
        }
        match self.described(&answer, kid)? {
            Found { existed: true, .. } => Err(KmsError::KeyExists(kid.clone())),
            found => Ok(found),
        }
    }

    /// Refuses a key that does not wrap.
    async fn check_wraps(&self, kid: &KeyId) -> Result<(), KmsError> {
        let answer = self.describe(kid).await?;
        let found = answer
            .map(|answer| self.described(&answer, kid))
            .transpose()?;
        match found {
            Some(Found { public: None, .. }) => Ok(()),
            _ => Err(KmsError::KeyNotFound(kid.clone())),
        }
    }

    /// What the engine says of a key; `None` when it has no such key.
    async fn describe(&self, kid: &KeyId) -> Result<Option<Answer>, KmsError> {
        let answer = self
            .call(Method::GET, &self.path("keys", kid), None)
            .await?;
        match answer.status.as_u16() {
            200 => Ok(Some(answer)),
            // The engine says it by a list without errors. Who is not the engine, or has no mount, says something else.
            404 if errors(&answer).is_some_and(|errors| errors.is_empty()) => Ok(None),
            _ => Err(self.refusal(&answer)),
        }
    }

    fn refusal(&self, answer: &Answer) -> KmsError {
        let status = answer.status.as_u16();
        let said: String = errors(answer).unwrap_or_default().join("; ");
        let said: String = said
            .chars()
            .filter(|it| !it.is_control())
            .take(200)
            .collect();
        let complaint = self
            .complainant
            .of(format!("remote service answered {status} {said}"));
        match status {
            401 | 403 => KmsError::Denied(complaint),
            412 | 429 | 472 | 473 | 500.. => KmsError::Unavailable(complaint),
            300..=399 => KmsError::Answer(complaint),
            _ => KmsError::Refused(complaint),
        }
    }
}

/// What the engine complains about; `None` when the answer is not one of the engine.
fn errors(answer: &Answer) -> Option<Vec<String>> {
    let refused: Option<Refused> = wire::object(&answer.body);
    refused.map(|refused| refused.errors)
}

/// Whether the engine complains about one of these.
fn says(answer: &Answer, complaints: &[&str]) -> bool {
    let said = errors(answer).unwrap_or_default();
    said.iter()
        .any(|it| complaints.iter().any(|complaint| it.contains(complaint)))
}

/// What the engine calls a key: as it is, where the engine takes that (`\w(([\w-.]+)?\w)?`).
fn engine_name(kid: &KeyId) -> String {
    let name = kid.as_str();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let inner = |byte: u8| word(byte) || byte == b'-' || byte == b'.';
    let ends = name.bytes().next().is_some_and(word) && name.bytes().last().is_some_and(word);
    if ends && name.bytes().all(inner) && !name.starts_with(ENCODED) {
        return name.to_owned();
    }
    name.bytes().fold(ENCODED.to_owned(), |encoded, byte| {
        format!("{encoded}{byte:02x}")
    })
}

#[async_trait]
impl KeyManagement for TransitKms {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            import: false,
            ..Capabilities::ALL
        }
    }

    async fn generate(&self, kid: &KeyId, algorithm: Algorithm) -> Result<PublicJwk, KmsError> {
        let kind = match algorithm {
            Algorithm::EdDsa => "ed25519",
            Algorithm::Es256 => "ecdsa-p256",
            other => {
                let problem = format!("unsupported algorithm '{other}'. Supported: EdDSA, ES256");
                return Err(KmsError::UnsupportedAlgorithm(self.complainant.of(problem)));
            }
        };
        let made = self.make(kid, kind).await?.public;
        made.ok_or(KmsError::OtherAlgorithm(algorithm))
    }

    async fn import(&self, _kid: &KeyId, _key: &PrivateKey) -> Result<PublicJwk, KmsError> {
        Err(KmsError::Unsupported("import"))
    }

    async fn sign(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        input: &[u8],
    ) -> Result<[u8; 64], KmsError> {
        check_input(input)?;
        let mut body = json!({ "input": STANDARD.encode(input), "key_version": 1 });
        if algorithm == Algorithm::Es256 {
            body["hash_algorithm"] = "sha2-256".into();
            body["marshaling_algorithm"] = "jws".into();
        }
        let answer = self
            .call(Method::POST, &self.path("sign", kid), Some(body))
            .await?;
        let status = answer.status.as_u16();
        if status == 400 && says(&answer, &["key not found", "does not support signing"]) {
            return Err(KmsError::KeyNotFound(kid.clone()));
        }
        if status != 200 {
            return Err(self.refusal(&answer));
        }
        let none = || {
            self.complainant
                .unreadable("remote service returned empty signature")
        };
        let signed: Signed = serde_json::from_slice(&answer.body).map_err(|_| none())?;
        let text = signed
            .data
            .signature
            .strip_prefix("vault:v1:")
            .ok_or_else(none)?;
        wire::signature_of(text, &self.complainant)
    }

    async fn public_key(&self, kid: &KeyId) -> Result<Option<PublicJwk>, KmsError> {
        match self.describe(kid).await? {
            Some(answer) => Ok(self.described(&answer, kid)?.public),
            None => Ok(None),
        }
    }

    async fn delete(&self, kid: &KeyId) -> Result<(), KmsError> {
        if self.describe(kid).await?.is_none() {
            return Ok(());
        }
        let allow = json!({ "deletion_allowed": true });
        let path = self.path("keys", kid);
        let mut answer = self
            .call(Method::POST, &format!("{path}/config"), Some(allow))
            .await?;
        if answer.status.is_success() {
            answer = self.call(Method::DELETE, &path, None).await?;
        }
        // Somebody else may have been faster: what counts is whether it is still there.
        match answer.status.is_success() || self.describe(kid).await?.is_none() {
            true => Ok(()),
            false => Err(self.refusal(&answer)),
        }
    }

    async fn generate_wrapping(&self, kid: &KeyId) -> Result<(), KmsError> {
        match self.make(kid, WRAPPING_KIND).await?.public {
            None => Ok(()),
            Some(_) => Err(KmsError::Unsupported("wrapping")),
        }
    }

    async fn wrap(&self, kid: &KeyId, plain: &[u8]) -> Result<String, KmsError> {
        check_plain(plain)?;
        self.check_wraps(kid).await?;
        let body = wire::encrypt_body(plain);
        let path = self.path("encrypt", kid);
        let answer = self.send(Method::POST, &path, Some(body)).await?;
        if answer.status.as_u16() != 200 {
            return Err(self.refusal(&answer.without_body()));
        }
        let read: Option<Encrypted> = wire::object(&answer.body);
        let wrapped = read.map(|it| it.data.ciphertext);
        wrapped.ok_or_else(|| {
            self.complainant
                .unreadable("remote service returned nothing wrapped")
        })
    }

    async fn unwrap(&self, kid: &KeyId, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let body = json!({ "ciphertext": wrapped });
        let path = self.path("decrypt", kid);
        let answer = self.call(Method::POST, &path, Some(body)).await?;
        match answer.status.as_u16() {
            200 => {
                let read: Option<Decrypted<'_>> = wire::object(&answer.body);
                let plain = read.and_then(|it| wire::plain(it.data.plaintext));
                plain.ok_or_else(|| {
                    self.complainant
                        .unreadable("remote service returned nothing unwrapped")
                })
            }
            400 if says(&answer, &["key not found", "does not support decryption"]) => {
                Err(KmsError::KeyNotFound(kid.clone()))
            }
            // An engine that was told to forget the first version may be told to remember it.
            400 if says(&answer, &["disallowed by policy"]) => {
                let problem = "the first version of the key is below min_decryption_version";
                Err(KmsError::Refused(self.complainant.of(problem)))
            }
            400 if says(&answer, &["ciphertext", "message authentication failed"]) => {
                Err(KmsError::NotWrapped(kid.clone()))
            }
            _ => Err(self.refusal(&answer.without_body())),
        }
    }

    /// A standby that answers is well: it passes requests on.
    async fn health(&self) -> Result<Health, KmsError> {
        let answer = self.call(Method::GET, HEALTH, None).await?;
        match answer.status.as_u16() {
            200 | 429 | 472 | 473 => Ok(Health::default()),
            501 | 503 => Err(KmsError::Unhealthy),
            _ => Err(self.refusal(&answer)),
        }
    }
}

impl fmt::Debug for TransitKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransitKms")
            .field("complainant", &self.complainant)
            .field("base_url", &self.settings.base_url.as_str())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_has_its_own_name_in_the_engine() {
        let names = ["a", "a-b.c_d", "-a", "a-", "a/b", "hex.61", "..a", "A", "~"];
        let encoded: Vec<String> = names
            .map(|name| engine_name(&KeyId::parse(name).unwrap()))
            .into();
        assert_eq!(encoded[..4], ["a", "a-b.c_d", "hex.2d61", "hex.612d"]);
        assert_eq!(encoded.iter().collect::<HashSet<_>>().len(), names.len());
        let taken = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        assert!(encoded.iter().all(|name| name.bytes().all(taken)));
    }
}
