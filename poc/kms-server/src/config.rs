//! What the server is told: by flags and variables, a file of providers, and a file of callers. It is judged as a whole.

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use kms::config::{ProviderConfig, ProviderSettings};
use kms::{KeyId, KmsConfig};
use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::providers::mistakes;

/// A configuration may have so many bytes.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Keys behind the HTTP contract of docs/kms.md.
#[derive(Debug, Parser)]
#[command(name = "kms-server")]
pub struct Arguments {
    /// What is done instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where HTTP is served; port 0 picks a free one. TLS ends before this.
    #[arg(long, env = "KMS_LISTEN", default_value = "127.0.0.1:8600")]
    pub listen: SocketAddr,
    /// The providers: kms.json. The default one is served.
    #[arg(long, env = "KMS_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Keeps keys in memory instead, and loses them with the process.
    #[arg(long, env = "KMS_MEMORY")]
    pub memory: bool,
    /// The callers: a JSON list of {name, token, scopes}.
    #[arg(long, env = "KMS_CREDENTIALS_FILE")]
    pub credentials: Option<PathBuf>,
    /// How many calls a second one caller may make.
    #[arg(long, env = "KMS_RATE_LIMIT", default_value = "200")]
    pub rate_limit: NonZeroU32,
}

/// What the program does instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a data key, has it wrapped at the default provider, and prints it as an entry of a peer's `SECRETS_KEY`.
    Wrap(WrapKey),
    /// Seals every private key of the default provider, which is of the type `sql`, with the first key of `secretsKey`. Servers
    /// may run meanwhile.
    Reseal,
}

/// Which key wraps.
#[derive(Debug, clap::Args)]
pub struct WrapKey {
    /// The name of the key that wraps. It is made unless it is there.
    #[arg(long, value_parser = KeyId::parse)]
    pub key: KeyId,
}

/// What the server is made of.
#[derive(Debug)]
pub struct Settings {
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// Which provider is served.
    pub providers: KmsConfig,
    /// Who may call.
    pub credentials: Credentials,
}

impl Settings {
    /// Reads everything that the arguments name. `variables` tells what a variable of the environment holds.
    ///
    /// # Errors
    /// A line for each mistake, all at once.
    pub fn load(
        arguments: &Arguments,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<String>> {
        let providers = providers(arguments, variables);
        let credentials = credentials(arguments);
        match (providers, credentials) {
            (Ok(providers), Ok(credentials)) => Ok(Self {
                listen: arguments.listen,
                providers,
                credentials,
            }),
            (providers, credentials) => {
                let providers = providers.err().unwrap_or_default();
                let credentials = credentials.err().unwrap_or_default();
                Err(providers.into_iter().chain(credentials).collect())
            }
        }
    }
}

/// Reads the providers alone.
///
/// # Errors
/// A line for each mistake, all at once.
pub fn providers(
    arguments: &Arguments,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<KmsConfig, Vec<String>> {
    let path = match (&arguments.config, arguments.memory) {
        (Some(_), true) => return Err(vec!["KMS_CONFIG: not together with KMS_MEMORY".to_owned()]),
        (None, false) => {
            return Err(vec![
                "KMS_CONFIG: is required, unless KMS_MEMORY is true".to_owned(),
            ]);
        }
        (None, true) => {
            let memory = ProviderConfig {
                id: "memory".to_owned(),
                settings: ProviderSettings::Memory,
            };
            return Ok(KmsConfig {
                default_provider: None,
                providers: vec![memory],
            });
        }
        (Some(path), false) => path,
    };
    from_file(path, variables)
}

/// Reads kms.json, and judges the provider that is served.
fn from_file(
    path: &Path,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<KmsConfig, Vec<String>> {
    let json = read("KMS_CONFIG", path)?;
    let config = KmsConfig::parse(&json, variables).map_err(|invalid| {
        let lines = invalid.to_string();
        lines
            .lines()
            .map(|line| format!("KMS_CONFIG: {line}"))
            .collect::<Vec<_>>()
    })?;
    let wrong = match config.served() {
        Some(provider) => mistakes(provider),
        None => vec!["defaultProvider: is required with several providers".to_owned()],
    };
    match wrong.is_empty() {
        true => Ok(config),
        false => Err(wrong
            .into_iter()
            .map(|it| format!("KMS_CONFIG: {it}"))
            .collect()),
    }
}

fn credentials(arguments: &Arguments) -> Result<Credentials, Vec<String>> {
    let path = arguments.credentials.as_ref();
    let path = path.ok_or_else(|| vec!["KMS_CREDENTIALS_FILE: is required".to_owned()])?;
    let json = read("KMS_CREDENTIALS_FILE", path)?;
    let named = |mistakes: Vec<String>| {
        let named = mistakes
            .into_iter()
            .map(|it| format!("KMS_CREDENTIALS_FILE: {it}"));
        named.collect::<Vec<_>>()
    };
    Credentials::parse(&json, arguments.rate_limit).map_err(named)
}

/// Both files may hold secrets, so what was read is wiped.
fn read(variable: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, Vec<String>> {
    let unreadable =
        |error: std::io::Error| vec![format!("{variable}: {}: {error}", path.display())];
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(vec![format!(
            "{variable}: {}: more than {MAX_FILE_BYTES} bytes",
            path.display()
        )]);
    }
    fs::read(path).map(Zeroizing::new).map_err(unreadable)
}
