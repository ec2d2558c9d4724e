//! The client of the HTTP contract.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use auth_base::clock::Clock;
use jwt_auth::{Algorithm, PrivateKey, PublicJwk};
use kms::config::settings::HttpSettings;
use kms::key_management::check_input;
use kms::wrapping_key::{WRAPPING_ALGORITHM, check_plain};
use kms::{Capabilities, Health, KeyId, KeyManagement, KmsError};
use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;
use zeroize::Zeroizing;

use crate::authentication::Authentication;
use crate::certificates::CertificateClients;
use crate::error::Complainant;
use crate::transport::{Answer, Call, Transport, wiped};
use crate::wire;

/// Keys at a server that speaks the HTTP contract. It is configured as `http` in `kms.json`.
pub struct HttpKms {
    settings: HttpSettings,
    transport: Transport,
    complainant: Complainant,
}

impl HttpKms {
    /// A client of one server, which is called `id` in errors. Nothing is sent yet; certificates are read.
    ///
    /// # Errors
    /// [`KmsError::Refused`] when certificates cannot be read or used.
    pub fn new(id: &str, settings: HttpSettings) -> Result<Self, KmsError> {
        let complainant = Complainant::new(id);
        let clients = CertificateClients::new(settings.tls.clone());
        let clients = clients
            .map_err(|error| complainant.misconfigured("the certificates cannot be used", error))?;
        let authentication = Authentication::new(settings.auth.clone(), &clients, &complainant)?;
        Ok(Self {
            transport: Transport::new(clients, authentication, complainant.clone()),
            settings,
            complainant,
        })
    }

    /// Counts the age of access tokens by `clock`, instead of the system's.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self {
            transport: self.transport.clock(clock),
            ..self
        }
    }

    /// The URL of a path below the server's address.
    fn url(&self, path: &str) -> Result<Url, KmsError> {
        let base = self.settings.base_url.as_str();
        let base = base.strip_suffix('/').unwrap_or(base);
        let url = Url::parse(&format!("{base}{path}"));
        url.map_err(|error| self.complainant.misconfigured("the URL is none", error))
    }

    fn keys(&self, kid: &KeyId, action: &str) -> String {
        let keys = &self.settings.keys_path;
        format!("{keys}/{}{action}", wire::segment(kid))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Zeroizing<String>>,
    ) -> Result<Answer, KmsError> {
        let call = Call {
            method,
            url: self.url(path)?,
            headers: HeaderMap::new(),
            body: body.map(wiped),
        };
        self.transport.send(&call).await
    }

    fn check_algorithm(&self, algorithm: Algorithm) -> Result<(), KmsError> {
        let capabilities = self.capabilities();
        if capabilities.algorithms.contains(&algorithm) {
            return Ok(());
        }
        let supported = capabilities.algorithm_names();
        let problem = format!("unsupported algorithm '{algorithm}'. Supported: {supported}");
        Err(KmsError::UnsupportedAlgorithm(self.complainant.of(problem)))
    }

    /// What a refusal to wrap or unwrap means. What a server says of a key is not repeated.
    fn wrapping_refusal(&self, answer: Answer, kid: &KeyId) -> KmsError {
        let said = wire::error_text(&answer.body).unwrap_or_default();
        match answer.status.as_u16() {
            400 if said.starts_with("Not wrapped with the key") => {
                KmsError::NotWrapped(kid.clone())
            }
            404 if said.starts_with("Key not found") => KmsError::KeyNotFound(kid.clone()),
            405 => KmsError::Unsupported("wrapping"),
            _ => self.refusal(&answer.without_body(), kid),
        }
    }

    /// What a refusal means, where the call itself says nothing else. That there is no such key is believed in the words of
    /// the contract only: a proxy, or a wrong address, answers 404 as well.
    fn refusal(&self, answer: &Answer, kid: &KeyId) -> KmsError {
        let status = answer.status.as_u16();
        let said = wire::error_text(&answer.body);
        let problem = match &said {
            Some(said) => format!("remote service answered {status} {said}"),
            None => format!("remote service answered {status}"),
        };
        let complaint = self.complainant.of(problem);
        let said = said.unwrap_or_default();
        match status {
            401 | 403 => KmsError::Denied(complaint),
            404 if said.starts_with("Key not found") => KmsError::KeyNotFound(kid.clone()),
            409 => KmsError::KeyExists(kid.clone()),
            429 | 500.. => KmsError::Unavailable(complaint),
            400 if said.starts_with("Unsupported algorithm") => {
                KmsError::UnsupportedAlgorithm(complaint)
            }
            300..=399 => KmsError::Answer(complaint),
            _ => KmsError::Refused(complaint),
        }
    }
}

#[async_trait]
impl KeyManagement for HttpKms {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            algorithms: self.settings.algorithms,
            import: self.settings.can_import,
            public_key: true,
            wrapping: true,
        }
    }

    async fn generate(&self, kid: &KeyId, algorithm: Algorithm) -> Result<PublicJwk, KmsError> {
        self.check_algorithm(algorithm)?;
        let body = wire::generate_body(kid, algorithm.name());
        let answer = self
            .call(Method::POST, &self.settings.keys_path, Some(body))
            .await?;
        match answer.status.as_u16() {
            200 | 201 => wire::public_jwk(&answer.body, kid, &self.complainant),
            _ => Err(self.refusal(&answer, kid)),
        }
    }

    async fn import(&self, kid: &KeyId, key: &PrivateKey) -> Result<PublicJwk, KmsError> {
        if !self.settings.can_import {
            let problem = "import is disabled — set canImport: true in kms.json to enable it";
            return Err(KmsError::ImportDisabled(self.complainant.of(problem)));
        }
        self.check_algorithm(key.public().algorithm())?;
        let body = wire::import_body(key);
        let answer = self
            .call(Method::POST, &self.keys(kid, "/import"), Some(body))
            .await?;
        match answer.status.as_u16() {
            200 | 201 => wire::public_jwk(&answer.body, kid, &self.complainant),
            404 | 405 => Err(KmsError::Unsupported("import")),
            // What a server says of a private key is not repeated.
            _ => Err(self.refusal(&answer.without_body(), kid)),
        }
    }

    async fn sign(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        input: &[u8],
    ) -> Result<[u8; 64], KmsError> {
        check_input(input)?;
        self.check_algorithm(algorithm)?;
        let body = wire::sign_body(algorithm, input);
        let answer = self
            .call(Method::POST, &self.keys(kid, "/sign"), Some(body))
            .await?;
        match answer.status.as_u16() {
            200 => wire::signature(&answer.body, &self.complainant),
            _ => Err(self.refusal(&answer, kid)),
        }
    }

    /// A server that does not know the route answers 404 as well, and says something else: that is no answer about the key.
    async fn public_key(&self, kid: &KeyId) -> Result<Option<PublicJwk>, KmsError> {
        let answer = self.call(Method::GET, &self.keys(kid, ""), None).await?;
        match answer.status.as_u16() {
            200 => wire::public_jwk(&answer.body, kid, &self.complainant).map(Some),
            404 | 405 => match self.refusal(&answer, kid) {
                KmsError::KeyNotFound(_) => Ok(None),
                _ => Err(KmsError::Unsupported("showing public keys")),
            },
            _ => Err(self.refusal(&answer, kid)),
        }
    }

    async fn delete(&self, kid: &KeyId) -> Result<(), KmsError> {
        let answer = self.call(Method::DELETE, &self.keys(kid, ""), None).await?;
        match answer.status.as_u16() {
            200 | 204 => Ok(()),
            _ => match self.refusal(&answer, kid) {
                KmsError::KeyNotFound(_) => Ok(()),
                refusal => Err(refusal),
            },
        }
    }

    async fn generate_wrapping(&self, kid: &KeyId) -> Result<(), KmsError> {
        let body = wire::generate_body(kid, WRAPPING_ALGORITHM);
        let answer = self
            .call(Method::POST, &self.settings.keys_path, Some(body))
            .await?;
        match answer.status.as_u16() {
            200 | 201 => Ok(()),
            _ => match self.refusal(&answer, kid) {
                KmsError::UnsupportedAlgorithm(_) => Err(KmsError::Unsupported("wrapping")),
                refusal => Err(refusal),
            },
        }
    }

    async fn wrap(&self, kid: &KeyId, plain: &[u8]) -> Result<String, KmsError> {
        check_plain(plain)?;
        let body = wire::wrap_body(plain);
        let answer = self
            .call(Method::POST, &self.keys(kid, "/wrap"), Some(body))
            .await?;
        match answer.status.as_u16() {
            200 => wire::wrapped(&answer.body, &self.complainant),
            _ => Err(self.wrapping_refusal(answer, kid)),
        }
    }

    async fn unwrap(&self, kid: &KeyId, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let body = wire::unwrap_body(wrapped);
        let answer = self
            .call(Method::POST, &self.keys(kid, "/unwrap"), Some(body))
            .await?;
        match answer.status.as_u16() {
            200 => wire::unwrapped(&answer.body, &self.complainant),
            _ => Err(self.wrapping_refusal(answer, kid)),
        }
    }

    async fn health(&self) -> Result<Health, KmsError> {
        let answer = self
            .call(Method::GET, &self.settings.health_path, None)
            .await?;
        match answer.status.as_u16() {
            200 => wire::health(&answer.body).map(|key_count| Health { key_count }),
            401 | 403 => Err(KmsError::Denied(
                self.complainant
                    .of("remote service answered its health with a refusal"),
            )),
            status => Err(KmsError::Unavailable(
                self.complainant
                    .of(format!("remote service answered its health with {status}")),
            )),
        }
    }
}

impl fmt::Debug for HttpKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpKms")
            .field("complainant", &self.complainant)
            .field("base_url", &self.settings.base_url.as_str())
            .finish_non_exhaustive()
    }
}
