//! What a provider is configured with, as types.

use std::path::PathBuf;

use auth_base::secret::Secret;
use jwt_auth::Algorithm;
use url::Url;

/// One provider.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// What it is called.
    pub id: String,
    /// What it is.
    pub settings: ProviderSettings,
}

/// What a provider is: `type` in `kms.json`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ProviderSettings {
    /// `memory`: keys in this process.
    Memory,
    /// `sql`: keys in MariaDB or SQLite, sealed.
    Sql(SqlSettings),
    /// `http`: keys at a server that speaks the HTTP contract.
    Http(HttpSettings),
    /// `vault-transit`: keys in the Transit engine of Vault or OpenBao.
    Transit(TransitSettings),
}

impl ProviderSettings {
    /// What `type` is.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sql(_) => "sql",
            Self::Http(_) => "http",
            Self::Transit(_) => "vault-transit",
        }
    }
}

/// Keys in a database.
#[derive(Clone, Debug)]
pub struct SqlSettings {
    /// `mysql://…` or `sqlite:…`, with its password.
    pub database_url: Secret,
    /// What private keys are sealed with: 32 bytes in base64, older ones after commas.
    pub secrets_key: Secret,
}

/// Keys at a server that speaks the HTTP contract.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The server's address, without a `/` at its end.
    pub base_url: Url,
    /// The path of the keys: `/keys`.
    pub keys_path: String,
    /// The path of the health check: `/health`.
    pub health_path: String,
    /// How this client proves who it is.
    pub auth: HttpAuth,
    /// Whom this client trusts, and what it shows, below HTTP.
    pub tls: TlsFiles,
    /// Whether keys that were made elsewhere are sent there.
    pub can_import: bool,
    /// The algorithms that the server is asked for.
    pub algorithms: &'static [Algorithm],
}

/// How a client of the HTTP contract proves who it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HttpAuth {
    /// Not at all, or by its certificate alone (`none`, `mtls`).
    None,
    /// By a fixed token (`bearer`).
    Bearer(Secret),
    /// By a token that it fetches (`oauth2-client-credentials`).
    OAuth2(OAuth2Settings),
}

/// Where a token is fetched, and as whom (RFC 6749, section 4.4).
#[derive(Clone, Debug)]
pub struct OAuth2Settings {
    /// The token endpoint.
    pub token_url: Url,
    /// The client's id.
    pub client_id: String,
    /// The client's secret, sent in the form.
    pub client_secret: Secret,
    /// The scopes that are asked for, separated by blanks.
    pub scope: Option<String>,
}

/// Files in PEM. They are read again when they change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authorities that are trusted, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The certificate that this client shows, and its key.
    pub client: Option<ClientCertificate>,
}

/// A client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The chain of certificates, its own first.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// Keys in the Transit engine of Vault or OpenBao.
#[derive(Clone, Debug)]
pub struct TransitSettings {
    /// The server's address, without a `/` at its end.
    pub base_url: Url,
    /// Where the engine is mounted: `transit`.
    pub mount: String,
    /// The token that is sent as `X-Vault-Token`.
    pub token: Secret,
    /// The namespace that is sent as `X-Vault-Namespace`.
    pub namespace: Option<String>,
    /// Whom this client trusts, and what it shows, below HTTP.
    pub tls: TlsFiles,
}
