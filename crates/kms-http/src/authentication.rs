//! How a request says who sends it.

use std::sync::Arc;

use auth_base::clock::Clock;
use auth_base::secret::Secret;
use jwt_auth_client::{AccessToken, TokenClient, TokenError, TokenRequest};
use kms::KmsError;
use kms::config::settings::{HttpAuth, OAuth2Settings};

use crate::certificates::CertificateClients;
use crate::error::Complainant;

/// A way to prove who we are.
pub(crate) enum Authentication {
    /// Not at all, or by a certificate below HTTP.
    None,
    /// By a fixed token.
    Bearer(Secret),
    /// By a token that is fetched.
    OAuth2(Box<TokenClient>, TokenRequest),
}

/// What one request carries.
pub(crate) enum Credential {
    None,
    Fixed(Secret),
    Fetched(Arc<AccessToken>),
}

impl Credential {
    /// The token, for the one header that it goes into.
    pub(crate) fn token(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Fixed(token) => Some(token.expose()),
            Self::Fetched(token) => Some(token.expose()),
        }
    }
}

impl Authentication {
    pub(crate) fn new(
        auth: HttpAuth,
        clients: &CertificateClients,
        complainant: &Complainant,
    ) -> Result<Self, KmsError> {
        match auth {
            HttpAuth::None => Ok(Self::None),
            HttpAuth::Bearer(token) => Ok(Self::Bearer(token)),
            HttpAuth::OAuth2(settings) => {
                let client = token_client(&settings, clients);
                let client = client.map_err(|error| {
                    complainant.misconfigured("no token can be asked for", error)
                })?;
                let scope = settings.scope.unwrap_or_default();
                let wanted = TokenRequest::default().scope(&scope);
                Ok(Self::OAuth2(Box::new(client), wanted))
            }
            other => {
                let problem = format!("unknown auth {other:?}");
                Err(KmsError::Refused(complainant.of(problem)))
            }
        }
    }

    /// Counts the age of tokens by `clock`.
    pub(crate) fn clock(self, clock: Arc<dyn Clock>) -> Self {
        match self {
            Self::OAuth2(client, wanted) => Self::OAuth2(Box::new(client.clock(clock)), wanted),
            other => other,
        }
    }

    /// What the next request carries.
    pub(crate) async fn credential(&self) -> Result<Credential, Arc<TokenError>> {
        match self {
            Self::None => Ok(Credential::None),
            Self::Bearer(token) => Ok(Credential::Fixed(token.clone())),
            Self::OAuth2(client, wanted) => client.token(wanted).await.map(Credential::Fetched),
        }
    }

    /// What is carried instead of a credential that was answered with 401; `None` when there is no other.
    pub(crate) async fn instead_of(
        &self,
        refused: &Credential,
    ) -> Result<Option<Credential>, Arc<TokenError>> {
        match (self, refused) {
            (Self::OAuth2(client, wanted), Credential::Fetched(token)) => {
                let another = client.token_instead_of(token, wanted).await?;
                Ok(another.map(Credential::Fetched))
            }
            _ => Ok(None),
        }
    }
}

fn token_client(
    settings: &OAuth2Settings,
    clients: &CertificateClients,
) -> Result<TokenClient, TokenError> {
    let url = settings.token_url.as_str();
    let secret = settings.client_secret.clone();
    let client = TokenClient::new(url, &settings.client_id, secret, clients.clone())?;
    // kms.json has been asked already whether the address may be a plain one.
    client.allow_plain().token_endpoint(url)
}
